"""A task waits for a person, and goes on with the answer."""

from typing import Any

import pytest

from tests.integration.cli import DEADLINE, Home

pytestmark = pytest.mark.measured

TASKS: list[dict[str, Any]] = [
    {"key": "build", "run": "true"},
    {"key": "ok", "assignee": "human", "question": "Deploy?", "after": ["build"]},
    {"key": "deploy", "run": "echo deployed", "after": ["ok"]},
]


def _until_it_asks(home: Home) -> Any:
    file = home.pipeline("ask", TASKS)
    running = home.popen("run", file)
    home.wait_for("the question", lambda: home.json("tasks", "--waiting", "--json"))
    return running


def test_a_workflow_waits_for_approval_without_being_stuck_and_then_completes(home: Home) -> None:
    prefix = "PERLES_CONTROL_PLANE__HEALTH_POLICY__"
    home.environ |= {f"{prefix}HEARTBEAT_TIMEOUT": "1s", f"{prefix}PROGRESS_TIMEOUT": "1s"}
    running = _until_it_asks(home)
    (task,) = home.json("tasks", "--waiting", "--json")

    early = home.perles("approve", "ask", "deploy")
    done = home.perles("approve", "ask", "ok", "-m", "go")

    assert (task["key"], task["status"], task["question"]) == ("ok", "waiting_for_user", "Deploy?")
    assert early.returncode == 4
    assert done.returncode == 0, done.stderr
    running.communicate(timeout=DEADLINE)
    assert running.returncode == 0
    types = [event["type"] for event in home.events()]
    asked = types.index("task.waiting_for_user")
    answered = types.index("task.completed", asked)
    assert "health.stuck" not in types[asked:answered]


def test_a_denied_task_fails_with_the_reason_and_skips_what_waited(home: Home) -> None:
    running = _until_it_asks(home)

    silent = home.perles("deny", "ask", "ok")
    done = home.perles("deny", "ask", "ok", "-m", "not today")

    assert silent.returncode == 2
    assert done.returncode == 0, done.stderr
    running.communicate(timeout=DEADLINE)
    assert running.returncode == 1
    tasks = {task["key"]: task for task in home.json("show", "ask", "--json")["tasks"]}
    assert tasks["ok"]["failure"] == "denied: not today"
    assert tasks["deploy"]["status"] == "skipped"
