"""Deny, fix, approve and commit with real processes and a real git repository."""

from tests.integration.cli import Home
from tests.integration.review_agents import git, subjects, team


def test_a_team_denies_mends_approves_and_commits(home: Home) -> None:
    team(home)

    result = home.perles("run", "do a", "--coordinator", "mycli")

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


def test_a_reviewer_that_does_not_decide_is_reminded(home: Home) -> None:
    team(home, silent=True)

    result = home.perles("run", "do a", "--coordinator", "mycli")

    assert result.returncode == 0, result.stdout + result.stderr
    reminded = [event["payload"] for event in home.events("--type", "agent.reminded")]
    assert [(one["agent"], one["number"]) for one in reminded] == [("worker-2", 1)] * 2
    assert subjects(home) == ["Do a", "first"]


def test_a_task_that_is_denied_too_often_waits_for_the_person(home: Home) -> None:
    team(home, strict=True, limits={"max_review_rounds": 2})
    home.perles("serve", "--detach")
    id = home.json("create", "do a", "--coordinator", "mycli", "--json")["id"]
    home.perles("start", id)
    waiting = home.wait_for("a question", lambda: home.json("tasks", id, "--waiting", "--json"))

    (task,) = waiting
    assert "a was denied in 2 reviews" in task["question"]
    assert "I never like it" in task["question"]
    assert [one["kind"] for one in home.json("inbox", "--json")] == ["approval"]
    assert subjects(home) == ["first"]
    assert home.perles("approve", id, "a", "-m", "good enough").returncode == 0

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
    assert subjects(home) == ["Do a", "first"]
    (task,) = home.json("tasks", id, "--json")
    assert (task["status"], task["denials"], task["verdict"]) == ("done", 2, "approved")
    assert [one["author"] for one in task["comments"] if one["kind"] == "answer"] == ["user"]
