"""The engine is killed at each named point, and the next one goes on as if nothing had been."""

import signal

import pytest

from perles.engine.crash_points import POINTS
from tests.crash.world import World, tasks
from tests.integration.cli import DEADLINE

WHEN = dict.fromkeys(POINTS, 1) | {
    "begin.before-commit": 3,
    "begin.after-commit": 2,
    "spawn.after": 2,
    "running.before-commit": 2,
    "output.before-commit": 3,
    "outcome.before-commit": 2,
    "outcome.after-commit": 3,
    "tool.before-commit": 4,
    "tool.after-commit": 5,
}
"""For the how many-th time: the first is the coordinator's, most later ones are the workers'."""

ELSEWHERE = (
    *("reconcile.adopted", "worktree.before-make", "worktree.after-make"),
    *(point for point in POINTS if point.startswith(("merge.", "tool."))),
    *("finally.before-commit", "finally.after-commit"),
    *(point for point in POINTS if point.startswith("service.")),
)
"""Points to which this workflow does not come."""


@pytest.mark.parametrize("point", [point for point in POINTS if point not in ELSEWHERE])
def test_an_engine_that_dies_at_a_point_leaves_all_to_the_next(storm: World, point: str) -> None:
    id = storm.create(tasks(4))

    died = storm.serve(fault=f"{point}:{WHEN[point]}").wait(timeout=DEADLINE)

    assert died == -signal.SIGKILL
    storm.serve()
    storm.finish(id)


@pytest.mark.parametrize("point", ["tool.before-commit", "tool.after-commit"])
def test_an_engine_that_dies_in_a_call_leaves_it_to_the_next(storm: World, point: str) -> None:
    """With a prompt in the plan its coordinator is a process, which calls tools."""
    id = storm.create_with_prompt(tasks(4))

    died = storm.serve(fault=f"{point}:{WHEN[point]}").wait(timeout=DEADLINE)

    assert died == -signal.SIGKILL
    storm.serve()
    storm.finish(id)


def test_an_engine_that_dies_while_it_adopts_leaves_all_to_the_next(storm: World) -> None:
    id = storm.create(tasks(1, seconds=10))
    storm.serve()
    storm.wait_for_text(id, "begins 3")
    storm.kill_engine()

    died = storm.serve(fault="reconcile.adopted:1").wait(timeout=DEADLINE)

    assert died == -signal.SIGKILL
    storm.serve()
    storm.finish(id)
