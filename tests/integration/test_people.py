"""Tasks that wait for a person: asked, shown, approved, denied; the inbox; notifications."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home

TASKS: list[dict[str, Any]] = [
    {"key": "build", "run": "echo build >> ran"},
    {"key": "ok", "name": "Deploy?", "assignee": "human", "question": "approve deploy?"}
    | {"after": ["build"]},
    {"key": "deploy", "run": "echo deploy >> ran", "after": ["ok"]},
]


def _waiting(home: Home) -> str:
    """A workflow that waits for a person, under an engine; its id."""
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", TASKS)).stdout.strip()
    home.perles("start", id)
    _wait_for_question(home)
    return id


def _wait_for_question(home: Home) -> None:
    home.wait_for("the question", lambda: home.json("tasks", "--waiting", "--json"))


def _wait_for_state(home: Home, id: str, state: str) -> dict[str, Any]:
    home.wait_for(state, lambda: home.json("show", id, "--json")["state"] == state)
    shown: dict[str, Any] = home.json("show", id, "--json")
    return shown


def _statuses(shown: dict[str, Any]) -> dict[str, str]:
    return {task["key"]: task["status"] for task in shown["tasks"]}


def test_a_ready_human_task_waits_and_says_for_what(home: Home) -> None:
    id = _waiting(home)

    (task,) = home.json("tasks", id, "--waiting", "--json")
    (listed,) = home.json("list", "--json")
    assert (task["key"], task["question"]) == ("ok", "approve deploy?")
    assert task["waiting_since"]
    assert listed["state"] == "running"
    assert listed["attention"].startswith("waiting for you since ")
    assert listed["attention"].endswith(": approve deploy?")
    assert "approve deploy?" in home.perles("show", id).stdout
    assert (home.work / "ran").read_text().split() == ["build"]


def test_approving_lets_dependents_go_on(home: Home) -> None:
    id = _waiting(home)

    told = home.perles("approve", id, "ok", "-m", "go")

    assert told.stdout == f"approved ok of {id}\n"
    shown = _wait_for_state(home, id, "completed")
    assert (home.work / "ran").read_text().split() == ["build", "deploy"]
    assert shown["tasks"][1]["summary"] == "go"
    assert shown["attention"] is None


def test_denying_fails_the_task_and_skips_what_depends_on_it(home: Home) -> None:
    id = _waiting(home)

    assert home.perles("deny", id, "ok", "-m", "not on a friday").returncode == 0

    shown = _wait_for_state(home, id, "failed")
    assert _statuses(shown) == {"build": "done", "ok": "failed", "deploy": "skipped"}
    assert shown["tasks"][1]["failure"] == "denied: not on a friday"
    assert shown["attention"] == "failed"


def test_a_root_question_is_asked_only_when_the_workflow_starts(home: Home) -> None:
    tasks = [{"key": "ok", "assignee": "human"}]
    id = home.perles("create", home.pipeline("p", tasks)).stdout.strip()
    assert home.json("tasks", "--waiting", "--json") == []

    home.perles("serve", "--detach")
    home.perles("start", id)
    _wait_for_question(home)
    home.perles("approve", id, "ok")

    _wait_for_state(home, id, "completed")


def test_a_paused_workflow_is_answered_with_no_engine(home: Home) -> None:
    id = _waiting(home)
    home.perles("engine", "stop")

    assert home.perles("approve", id, "ok").returncode == 0

    shown = home.json("show", id, "--json")
    assert (shown["state"], _statuses(shown)["deploy"]) == ("paused", "ready")
    home.perles("serve", "--detach")
    home.perles("resume", id)
    _wait_for_state(home, id, "completed")


def test_a_question_outlives_a_killed_engine(home: Home) -> None:
    id = _waiting(home)
    home.kill_engine()
    home.wait_for_no_engine()

    assert home.perles("approve", id, "ok").returncode == 0
    home.perles("serve", "--detach")

    _wait_for_state(home, id, "completed")
    assert (home.work / "ran").read_text().split() == ["build", "deploy"]


def test_a_wrong_answer_is_refused(home: Home) -> None:
    id = home.perles("create", home.pipeline("p", TASKS)).stdout.strip()

    early = home.perles("approve", id, "ok")

    assert (early.returncode, "it is pending" in early.stderr) == (4, True)
    assert home.perles("approve", id, "nope").returncode == 3
    assert home.perles("deny", id, "ok").returncode == 2
    assert home.perles("deny", id, "ok", "-m", " ").returncode == 2


@pytest.mark.parametrize(
    "task",
    [
        {"key": "ok", "assignee": "human", "run": "true"},
        {"key": "ok", "assignee": "someone"},
        {"key": "ok", "assignee": "human", "question": " "},
        {"key": "ok", "run": "true", "question": "why?"},
    ],
)
def test_a_wrong_human_task_is_refused(home: Home, task: dict[str, Any]) -> None:
    assert home.perles("create", home.pipeline("p", [task])).returncode == 2


def test_the_inbox_has_what_waits_until_it_is_dealt_with(home: Home) -> None:
    home.perles("run", home.pipeline("bad", [{"key": "a", "run": "false"}]))
    id = _waiting(home)

    approval, failed = home.json("inbox", "--json")

    assert (approval["kind"], approval["task"]) == ("approval", "ok")
    assert (failed["kind"], failed["workflow"]) == ("failed", "bad")
    assert home.perles("inbox", "ack", str(approval["seq"])).returncode == 2
    assert home.perles("inbox", "ack", "999999").returncode == 3
    assert home.perles("inbox", "ack").returncode == 2
    assert home.perles("inbox", "ack", "--all").stdout == "acknowledged 1\n"
    assert [item["kind"] for item in home.json("inbox", "--json")] == ["approval"]
    assert len(home.json("inbox", "--all", "--json")) == 2
    home.perles("approve", id, "ok")
    assert home.json("inbox", "--json") == []


def _notify(home: Home, *command: str, **more: Any) -> None:
    folder = Path(home.environ["XDG_CONFIG_HOME"]) / "perles"
    folder.mkdir(parents=True)
    settings = {"notify": {"command": list(command), **more}}
    (folder / "config.yaml").write_text(json.dumps(settings))


def _told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_event_is_notified_once_over_restarts(home: Home, tmp_path: Path) -> None:
    told = tmp_path / "told"
    _notify(home, "sh", "-c", f"cat >> {told}; echo >> {told}")
    id = _waiting(home)
    home.wait_for("the notification", lambda: _told(told))
    home.perles("engine", "stop")
    home.perles("approve", id, "ok")
    home.perles("serve", "--detach")
    home.perles("resume", id)
    _wait_for_state(home, id, "completed")

    home.wait_for("the second one", lambda: len(_told(told)) > 1)
    home.perles("engine", "stop")

    assert [event["type"] for event in _told(told)] == [
        "task.waiting_for_user",
        "workflow.completed",
    ]
    assert (_told(told)[0]["task"], _told(told)[0]["workflow"]) == ("ok", "p")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["false"], "exit 1"),
        (["/no/such/program"], "No such file"),
        (["sleep", "61"], "took longer than 0.2s"),
    ],
)
def test_a_notify_command_that_fails_is_an_event_and_no_stall(
    home: Home, command: list[str], reason: str
) -> None:
    _notify(home, *command, timeout="200ms", events=["workflow.*"])

    result = home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))

    assert result.returncode == 0
    failed = home.wait_for("the event", lambda: home.events("--type", "notify.failed"))
    assert reason in failed[0]["payload"]["reason"]
