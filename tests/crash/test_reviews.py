"""The review cycle goes on over engines that die: what was approved is committed once."""

import signal

import pytest

from tests.crash.world import World
from tests.integration.review_agents import subjects, team

MANY = 60
"""More engines than a workflow needs that each brings it one step on."""


@pytest.mark.parametrize("fault", ["tool.before-commit:3", "tool.after-commit:3"])
def test_the_cycle_ends_well_although_no_engine_lives_long(storm: World, fault: str) -> None:
    team(storm.home)
    id = storm.home.json("create", "do a", "--coordinator", "mycli", "--json")["id"]
    storm.plane.request(id, "start", {})

    died = 0
    while died < MANY and not _ends(storm, id, fault):
        died += 1

    assert died >= 3
    assert storm.state(id) == "completed"
    assert subjects(storm.home) == ["Do a", "first"]
    tasks = storm.query("SELECT status, attempt, denials, verdict FROM tasks")
    assert [tuple(row) for row in tasks] == [("done", 1, 1, "approved")]
    assert storm.query("SELECT name FROM agents WHERE phase != 'idle'") == []
    kinds = [row[0] for row in storm.query("SELECT kind FROM task_comments ORDER BY id")]
    assert kinds == [
        *("report", "review", "denied", "feedback"),
        *("report", "review", "approved", "approval", "commit"),
    ]


def _ends(storm: World, id: str, fault: str) -> bool:
    """Whether the workflow ended well before this engine died."""
    engine = storm.serve(fault=fault)

    def over() -> bool:
        return storm.state(id) == "completed" or engine.poll() is not None

    storm.wait_for("an end", over)
    assert engine.poll() in (None, -signal.SIGKILL)
    return engine.poll() is None
