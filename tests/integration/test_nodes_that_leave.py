"""A node that somebody ends takes its agents along, and tells: nobody waits for its lease."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.engine.turns.outcome import MAX_LOST
from perles.node import guard
from perles.store.reads.connection import reading
from tests.integration.nodes import start_node, stop_nodes
from tests.integration.test_work_on_nodes import Machines


class Patient(Machines):
    """Nodes whose lease is over only long after a test has failed."""

    on_partition = "repeat"

    def configure(self) -> None:
        """Add the cluster to what the configuration says."""
        cluster = "scheduler: 'tcp://127.0.0.1:1', workspace: git, node_ttl: 1h"
        with self.home.config_file.open("a") as file:
            file.write(f"cluster: {{{cluster}, on_partition: {self.on_partition}}}\n")

    def busy(self) -> str | None:
        """The node that runs a turn."""
        found = [one["name"] for one in self.home.json("nodes", "--json") if one["used"]]
        return found[0] if found else None

    def end(self, name: str) -> None:
        """End a node on purpose; it has ended when this returns."""
        (node,) = guard.pids_in(self.root / name / guard.NODE_LOCK)
        os.kill(node, signal.SIGTERM)
        self.home.wait_for(f"the end of {name}", partial(_ends, node))

    def is_gone(self, name: str) -> bool:
        """Whether the engine has heard that a node has ended."""
        return self.states()[name] == "gone"

    def states(self) -> dict[str, str]:
        """How each node stands."""
        return {one["name"]: one["state"] for one in self.home.json("nodes", "--json")}


class Waiting(Patient):
    """Nodes whose turns wait for them."""

    on_partition = "wait"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Patient]:
    """An engine with two nodes."""
    made = Patient(tmp_path)
    yield made
    made.close()
    stop_nodes(tmp_path)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    """The same, where turns wait for a node that is cut off."""
    made = Waiting(tmp_path)
    yield made
    made.close()
    stop_nodes(tmp_path)


def _ends(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_a_node_ran_that_was_ended_is_done_elsewhere_at_once(
    machines: Patient, number: signal.Signals
) -> None:
    home = machines.home
    machines.start()
    run = "echo $$ >>../pids; [ $(wc -l <../pids) -gt 1 ] || { echo begun; sleep 3600; }"
    run = run.replace("..", str(machines.root))
    tasks: list[dict[str, Any]] = [{"key": "long", "run": run, "retries": 1}]
    id = machines.run(tasks)
    home.wait_for("its begin", lambda: "begun" in home.perles("logs", id).stdout)
    name = home.wait_for("its node", machines.busy)
    folder = machines.root / name
    (pid,) = map(int, (machines.root / "pids").read_text().split())
    (node,), (watch,) = (guard.pids_in(folder / one) for one in (guard.NODE_LOCK, guard.LOCK))

    os.kill(node, number)

    assert machines.ended(id) == "completed"
    for one in (pid, node, watch):
        home.wait_for(f"the end of {one}", partial(_ends, one))
    assert not guard.is_held(folder / guard.LOCK)
    states = {one["name"]: one["state"] for one in home.json("nodes", "--json")}
    assert states[name] == "gone"
    assert {one["node"] for one in home.json("agents", id, "--json")} >= states.keys() - {name}
    (gone,) = home.events("--type", "node.gone")
    assert gone["payload"]["reason"] == "it was ended on its machine"
    log = (folder / "node.log").read_text()
    assert f"node {name} ends, with 1 agent" in log
    assert "Traceback" not in log
    assert "does not know" not in log


def test_a_node_that_ends_idle_is_gone_at_once(machines: Patient) -> None:
    home = machines.home
    machines.start()
    joined = {"box1": "ready", "box2": "ready"}

    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in home.json("nodes", "--json")}

    home.wait_for("the nodes", lambda: states() == joined)
    (node,) = guard.pids_in(machines.root / "box1" / guard.NODE_LOCK)
    os.kill(node, signal.SIGTERM)
    home.wait_for("its end", lambda: _ends(node))
    home.wait_for("the word", lambda: states() == {"box1": "gone", "box2": "ready"})
    with reading(home.database) as connection:
        assert connection is not None
        assert not connection.execute("SELECT 1 FROM turns").fetchall()


def test_what_a_node_ran_that_was_ended_waits_for_nothing(waiting: Waiting) -> None:
    home = waiting.home
    waiting.start()
    marks = waiting.root / "marks"
    run = f"echo x >>{marks}; [ $(wc -l <{marks}) -gt 1 ] || {{ echo begun; sleep 3600; }}"
    id = waiting.run([{"key": "long", "run": run}])
    home.wait_for("its begin", lambda: "begun" in home.perles("logs", id).stdout)
    waiting.end(str(home.wait_for("its node", waiting.busy)))

    assert waiting.ended(id) == "completed"
    assert marks.read_text() == "x\nx\n"
    turns = [one["error_class"] for one in _turns(waiting)]
    assert turns == ["node_ended", None]


def test_nodes_that_are_ended_on_purpose_do_not_count_against_the_agent(machines: Patient) -> None:
    home = machines.home
    machines.start()
    marks, times = machines.root / "marks", MAX_LOST + 1
    run = f"echo x >>{marks}; [ $(wc -l <{marks}) -gt {times} ] || sleep 3600"
    id = machines.run([{"key": "long", "run": run}])
    for number in range(1, times + 1):
        home.wait_for("its begin", partial(_has_lines, marks, number))
        name = str(home.wait_for("its node", machines.busy))
        machines.end(name)
        home.wait_for("word", partial(machines.is_gone, name))
        start_node(machines.root / name, name)

    assert machines.ended(id) == "completed"
    told = [one["error_class"] for one in _turns(machines)]
    assert told.count("node_ended") == times
    assert "lost" not in told


def _has_lines(path: Path, count: int) -> bool:
    return path.exists() and len(path.read_text().splitlines()) == count


def _turns(machines: Patient) -> list[dict[str, Any]]:
    """The turns of workers, in order."""
    with reading(machines.home.database) as connection:
        assert connection is not None
        rows = connection.execute(
            "SELECT t.status, t.error_class, t.error FROM turns t "
            "JOIN agents a ON a.id = t.agent_id WHERE a.role = 'worker' ORDER BY t.id"
        )
        return [dict(row) for row in rows]
