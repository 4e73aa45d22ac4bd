"""What follows a failed attempt: delays that outlive the engine, exit codes, words for it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perles.agents.builtin.command import told as in_words
from perles.agents.builtin.memory import oom_kills
from perles.domain.clock import ManualClock, from_text, to_text
from perles.domain.errors import ToolError
from perles.domain.execution import Execution, Retry
from perles.store.clock_shift import redate
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.tasks import retrying
from tests.integration.cli import Home
from tests.integration.review_world import ReviewWorld


@pytest.fixture
def world(tmp_path: Path, migrated: Path) -> Iterator[ReviewWorld]:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = ReviewWorld(tmp_path)
    yield made
    made.close()


def _failing(world: ReviewWorld, retry: Retry, *, exit_code: int = 1) -> None:
    stored = journal.encode(Execution(retry=retry).stored())
    if not world.tasks():
        world.create(retries=2)
        world.write(lambda tx: tx.update(Task, world.task().id, execution=stored))
    world.lead("assign_task", task_id="a", worker_id="worker-1")
    world.call("worker-1", "report_implementation_complete", summary="no", exit_code=exit_code)
    world.lead("mark_task_failed", task_id="a", reason="no")


def _pass(world: ReviewWorld, seconds: float) -> list[str]:
    clock = world.database.clock
    assert isinstance(clock, ManualClock)
    clock.advance(seconds)
    return world.write(retrying.release)


def test_a_task_waits_for_its_delay_and_longer_each_time(world: ReviewWorld) -> None:
    retry = Retry(delay=10, backoff=3)
    for seconds in (10, 30):
        _failing(world, retry)
        until = to_text(from_text(world.database.now()) + timedelta(seconds=seconds))
        assert (world.task().status, world.task().held_until) == ("pending", until)
        with pytest.raises(ToolError, match=f"it waits until {until}"):
            world.lead("assign_task", task_id="a", worker_id="worker-1")
        world.told("coordinator")
        assert _pass(world, seconds - 1) == []
        assert _pass(world, 1) == ["a"]
        assert (world.task().status, world.task().held_until) == ("ready", None)
        assert "the delay before the next attempt is over" in world.told("coordinator")
        assert world.events("task.retried")[-1]["until"] == until
    _failing(world, retry)
    assert (world.task().status, world.task().held_until) == ("failed", None)


def test_only_after_the_exit_codes_that_are_named_it_is_tried_again(world: ReviewWorld) -> None:
    retry = Retry(on=(75,))
    _failing(world, retry, exit_code=75)
    assert world.task().status == "ready"
    _failing(world, retry, exit_code=1)
    assert world.task().status == "failed"


def test_a_clock_that_is_set_back_makes_no_delay_longer(world: ReviewWorld) -> None:
    _failing(world, Retry(delay=60))
    before = from_text(str(world.task().held_until))
    world.write(lambda tx: redate(tx, -3600))
    assert from_text(str(world.task().held_until)) == before - timedelta(hours=1)


def test_a_delay_outlives_the_engine_and_every_door_tells_of_it(home: Home) -> None:
    run = "echo x >> tries; test -e go || exit 75"
    task: dict[str, Any] = {"key": "a", "run": run}
    task["retries"] = {"max": 2, "delay": "15s", "on": [75]}
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", [task])).stdout.strip()
    home.perles("start", id)

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = home.json("show", id, "--json")
        return found

    home.wait_for("the delay", lambda: shown()["tasks"][0]["held_until"])
    home.kill_engine()
    assert "again" in home.perles("show", id).stdout
    assert any("a: again" in text for text in shown()["waits_for"])
    (home.work / "go").touch()
    assert home.perles("serve", "--exit-when-idle").returncode == 0
    assert (shown()["state"], shown()["tasks"][0]["attempt"]) == ("completed", 2)
    until = home.events("--type", "task.retried")[0]["payload"]["until"]
    assert shown()["tasks"][0]["ended_at"] >= until


def test_no_grace_kills_what_ignores_the_end_of_its_time(home: Home) -> None:
    run = "trap 'echo asked >> asked' TERM; echo begun; while :; do sleep 0.05; done"
    task = {"key": "a", "run": run, "timeout": {"run": "500ms", "grace": "0s"}}
    assert home.perles("run", home.pipeline("p", [task])).returncode == 1
    (shown,) = home.json("show", home.only(), "--json")["tasks"]
    assert (shown["failure"], shown["exit_code"]) == ("timed out after 0.5s", 124)


@pytest.mark.parametrize(
    ("code", "is_short", "told"),
    [
        (0, False, (0, "exit 0")),
        (3, True, (3, "exit 3")),
        (-11, False, (139, "killed by SIGSEGV")),
        (-9, True, (137, "killed by SIGKILL: out of memory")),
        (-15, True, (143, "killed by SIGTERM")),
        (139, False, (139, "exit 139: killed by SIGSEGV")),
        (137, True, (137, "exit 137: killed by SIGKILL: out of memory")),
        (-40, False, (168, "killed by signal 40")),
        (255, False, (255, "exit 255")),
    ],
)
def test_a_signal_has_its_name(code: int, is_short: bool, told: tuple[int, str]) -> None:
    assert in_words(code, is_short=is_short) == told


@pytest.mark.parametrize(
    ("group", "path", "content"),
    [
        ("0::/user/a\n", "sys/fs/cgroup/user/a/memory.events", "oom 4\noom_kill 3\n"),
        (
            "5:cpu:/x\n4:memory:/b\n",
            "sys/fs/cgroup/memory/b/memory.oom_control",
            "under_oom 0\noom_kill 3\n",
        ),
    ],
)
def test_the_kernel_tells_what_it_ended_for_want_of_memory(
    tmp_path: Path, group: str, path: str, content: str
) -> None:
    assert oom_kills(str(tmp_path)) is None
    for name, text in (("proc/self/cgroup", group), (path, content)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert oom_kills(str(tmp_path)) == 3
