"""Deny, fix, approve and commit with real processes and a real git repository."""

from tests.integration.cli import Home
from tests.integration.review_agents import git, subjects, team


def test_a_team_denies_mends_approves_and_commits(home: Home) -> None:
    team(home)

    result = home.perles("run", "do a", "--coordinator", "mycli", timeout=90)

    assert result.returncode == 0, result.stdout + result.stderr
    assert subjects(home) == ["Do a", "first"]
    types = [event["type"] for event in home.events()]
    steps = [name for name in types if name.startswith("task.") and name != "task.receipt"]
    assert steps == [
        *("task.created", "task.ready", "task.assigned", "task.reported"),
        *("task.in_review", "task.denied", "task.assigned", "task.reported"),
        *("task.in_review", "task.approved", "task.committing", "task.reported"),
        "task.completed",
    ]
    (receipt,) = home.events("--type", "task.receipt")
    assert receipt["payload"]["commits"] == [git(home.work, "rev-parse", "HEAD")]
    assert (receipt["payload"]["branch"], receipt["payload"]["files"]) == ("main", 2)
    assert "agent.reminded" not in types
