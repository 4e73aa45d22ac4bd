"""mutex and limit over all workflows: never exceeded, never kept by what does not run, told of."""

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.domain.clock import ManualClock
from perles.domain.states import TASK, WORKFLOW
from perles.engine.resources.audit import release_lost
from perles.engine.resources.leases import release_all
from perles.store.database import Database
from perles.store.events import journal
from perles.store.reads.connection import reading
from perles.store.reads.consistency import leases_without_holder
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.statements import TASK_KEYED
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import named_limits
from tests.crash.world import World, world
from tests.integration.cli import Home

pytestmark = pytest.mark.measured

HELD = "SELECT name, size FROM named_leases WHERE acquired_at IS NOT NULL"
BUSY = """\
mkdir held || touch collision
sleep {seconds}
rmdir held
"""
"""Two of these at once collide."""


def test_random_steps_exceed_no_limit_and_leave_nothing_held(home: Home) -> None:
    chooser, clock = random.Random(19), ManualClock()
    database = Database(home.database, clock)
    flows = [_flow(database, chooser, f"wf-{n:08d}") for n in range(6)]
    for _ in range(600):
        clock.advance(chooser.choice((0.1, 5.0, 70.0)))
        _one_step(database, chooser, chooser.choice(flows))
        _check(home.database)
    for flow in flows:
        _end(database, flow)
    _check(home.database)
    with reading(home.database) as connection:
        assert connection is not None
        assert connection.execute("SELECT * FROM named_leases").fetchall() == []
        granted = connection.execute(
            "SELECT count(*) FROM events WHERE type = 'resource.lease_granted'"
        ).fetchone()[0]
        released = connection.execute(
            "SELECT count(*) FROM events WHERE type = 'resource.lease_released'"
        ).fetchone()[0]
    assert granted == released > 40
    database.dispose()


def _flow(database: Database, chooser: random.Random, id: str) -> str:
    def insert(tx: Tx) -> None:
        about: dict[str, Any] = {"template_id": "pipeline", "name": id, "work_dir": "/tmp"}
        tx.insert(Workflow, id=id, state="running", priority=chooser.randrange(3), **about)
        for n in range(8):
            names = chooser.sample("abc", chooser.randint(1, 2))
            limits = {name: chooser.randint(1, 3) for name in names}
            execution = journal.encode({"limits": limits})
            values = {"title": "x", "retries": 1000, "execution": execution}
            tx.insert(Task, workflow_id=id, key=f"t{n}", status="ready", **values)

    database.write(insert)
    return id


def _one_step(database: Database, chooser: random.Random, flow: str) -> None:
    """A task begins, goes on or ends, or the workflow pauses or goes on, as the engine does it."""

    def step(tx: Tx) -> None:
        workflow = tx.need(Workflow, flow)
        keyed = {"workflow_id": flow, "key": f"t{chooser.randrange(8)}"}
        task = tx.first(Task, TASK_KEYED, **keyed)
        assert task is not None
        if workflow.state == "paused":
            fire(tx, WORKFLOW, flow, "resume")
        elif chooser.random() < 0.05:
            fire(tx, WORKFLOW, flow, "pause")
            release_all(tx, flow)
        elif task.status == "ready":
            if named_limits.take(tx, task) is None:
                fire(tx, TASK, task.id, "assign")
        elif named_limits.take(tx, task) is None:  # it had to take them again after a pause
            fire(tx, TASK, task.id, "retry")
        named_limits.offer(tx)

    database.write(step)


def _end(database: Database, flow: str) -> None:
    def end(tx: Tx) -> None:
        fire(tx, WORKFLOW, flow, "stop")
        release_all(tx, flow)

    database.write(end)


def _check(path: Path) -> None:
    with reading(path) as connection:
        assert connection is not None
        sizes: dict[str, list[int]] = {}
        for name, size in connection.execute(HELD):
            sizes.setdefault(name, []).append(size)
        assert all(len(found) <= min(found) for found in sizes.values()), sizes
        assert leases_without_holder(connection) == []


def test_a_name_that_nobody_can_hold_is_found_and_released(home: Home) -> None:
    clock = ManualClock()
    database = Database(home.database, clock)
    flow = _flow(database, random.Random(1), "wf-aaaaaaaa")

    def lose(tx: Tx) -> None:
        task = tx.first(Task, TASK_KEYED, workflow_id=flow, key="t0")
        assert task is not None
        assert named_limits.take(tx, task) is None  # and it is not begun: somebody changed the row

    database.write(lose)
    with reading(home.database) as connection:
        assert connection is not None
        told = leases_without_holder(connection)
    assert told
    assert all("t0, which is ready, of wf-aaaaaaaa" in line for line in told)

    assert database.write(release_lost) == len(told)

    with reading(home.database) as connection:
        assert connection is not None
        assert leases_without_holder(connection) == []
    database.dispose()


def _tasks(count: int, seconds: float) -> list[dict[str, Any]]:
    return [
        {"key": f"t{n}", "run": BUSY.format(seconds=seconds), "mutex": "held"} for n in range(count)
    ]


def test_a_mutex_holds_over_workflows_and_engines_that_are_killed(home: Home) -> None:
    with world(home) as storm:
        ids = [storm.create(_tasks(3, 0.3), workers=3) for _ in range(3)]
        storm.serve()
        for count in (2, 4):
            storm.wait_for(f"{count} tasks", partial(_are_done, storm, count))
            storm.kill_engine()
            assert storm.value(f"SELECT count(*) FROM ({HELD}) AS held") <= 1
            storm.serve()
        for id in ids:
            storm.wait_for_end(id)
        assert not (home.work / "collision").exists()
        assert storm.query("SELECT * FROM named_leases") == []
        events = storm.query("SELECT type, count(*) FROM events GROUP BY type")
        counts = Counter({row[0]: row[1] for row in events})
        assert counts["task.completed"] == 9
        storm.stop_engine()
        assert storm.plane.check() == []


def test_who_waits_says_for_whom_and_goes_on_when_that_is_stopped(home: Home) -> None:
    with world(home) as storm:
        first = storm.create([{"key": "slow", "run": "sleep 600", "mutex": "db"}])
        storm.serve()
        storm.wait_for("the mutex", lambda: storm.query(HELD))
        second = storm.create([{"key": "quick", "run": "true", "limit": {"db": 5}}])
        words = f"waiting for limit db, held by slow of storm ({first})"

        storm.wait_for("the wait", lambda: words in home.perles("show", second).stdout)

        def told() -> bool:
            return words in " ".join(home.json("show", second, "--json")["waits_for"])

        storm.wait_for("its place in line", told)
        (row,) = (one for one in home.json("resources", "--json") if one["resource"] == "mutex db")
        assert [one["task"] for one in row["holders"]] == ["slow"]
        assert [one["task"] for one in row["queue"]] == ["quick"]
        assert home.perles("stop", first).returncode == 0
        storm.wait_for_end(second)
        storm.stop_engine()


def test_a_paused_workflow_holds_nothing_and_takes_it_again_to_go_on(home: Home) -> None:
    with world(home) as storm:
        script = "echo begun >> begun; while [ ! -e go ]; do sleep 0.05; done"
        first = storm.create([{"key": "slow", "run": script, "mutex": "db"}])
        storm.serve()
        storm.wait_for("its begin", lambda: (home.work / "begun").exists())
        assert home.perles("pause", first).returncode == 0
        assert storm.query(HELD) == []
        hold = "touch second; while [ ! -e end ]; do sleep 0.05; done"
        second = storm.create([{"key": "other", "run": hold, "mutex": "db"}])
        storm.wait_for("the other", lambda: (home.work / "second").exists())

        assert home.perles("resume", first).returncode == 0

        said = f"waiting for mutex db, held by other of storm ({second})"
        storm.wait_for("its wait", lambda: said in home.perles("show", first).stdout)
        assert (home.work / "begun").read_text().split() == ["begun"]
        for name in ("go", "end"):
            (home.work / name).touch()
        storm.wait_for_end(second)
        storm.wait_for_end(first)
        assert (home.work / "begun").read_text().split() == ["begun", "begun"]
        storm.stop_engine()


def _are_done(storm: World, count: int) -> bool:
    return bool(storm.value("SELECT count(*) FROM tasks WHERE status = 'done'") >= count)
