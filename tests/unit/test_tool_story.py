"""Calls of our own tools in a line."""

import json

import pytest

from perles.agents.clis.json_lines import tool_ended, tool_started
from perles.agents.provider import AgentEvent
from perles.cli.transcript import lines_of
from perles.dashboard.frames.transcript import record_lines
from perles.dashboard.reading.detail import Record, said
from perles.domain import tool_story
from perles.mcp.tools.by_role import TOOLS_BY_ROLE

TASKS = [
    {"key": "a", "status": "ready", "assignee": None, "summary": "x" * 300},
    {"key": "b", "status": "in_progress", "assignee": "worker-1", "summary": "y" * 300},
    {"key": "c", "status": "done", "assignee": "worker-1", "summary": "z" * 300},
]


def test_every_tool_of_every_role_is_known() -> None:
    assert {name for tools in TOOLS_BY_ROLE.values() for name in tools} == tool_story.OURS


def test_what_a_call_is_about_is_told_without_json() -> None:
    given = json.dumps({"worker_id": "worker-1", "task_id": "lint", "summary": "go"})
    assert tool_story.call("assign_task", given) == "lint to worker-1"
    given = json.dumps({"channel": "general", "content": "two\nlines {here}"})
    assert tool_story.call("fabric_send", given) == "#general: two lines {here}"
    assert tool_story.call("mark_task_failed", '{"task_id": "lint"}') == "lint"
    assert tool_story.call("Bash", given) is None
    for odd in ("", "[]", "{", "{}", '{"a": 1}', "null"):
        assert tool_story.call("assign_task", odd) is None


def test_what_a_list_answers_is_counted() -> None:
    answer = json.dumps({"workflow": {"id": "wf-1"}, "tasks": TASKS})
    assert tool_story.result("list_tasks", answer) == "3 tasks: 1 ready, 1 with worker-1, 1 done"
    assert tool_story.result("list_tasks", '{"tasks": []}') == "no tasks"
    at = answer.index('"c"')
    cut = tool_story.result("list_tasks", answer[:at] + "…")
    assert cut == "at least 2 tasks: 1 ready, 1 with worker-1"
    workers = [{"worker_id": f"worker-{n}", "status": "ready", "task_id": None} for n in range(5)]
    workers[0]["task_id"] = "lint"
    told = tool_story.result("query_worker_state", json.dumps({"workers": workers}))
    assert told == "5 workers: worker-0 ready on lint, worker-1 ready, worker-2 ready, 2 more"


def test_other_answers_are_told_by_their_values() -> None:
    answer = {"worker_id": "worker-2", "now_ready": ["a", "b"], "retrying": False, "note": None}
    told = tool_story.result("mark_task_failed", json.dumps(answer))
    assert told == "worker worker-2, now ready a, b, retrying no"
    assert tool_story.result("signal_ready", "{}") == "done"
    assert tool_story.result("signal_ready", "failed: no such task") is None
    assert tool_story.result("Read", '{"tasks": []}') is None


@pytest.mark.parametrize("answer", ['{"tasks": [' + "[" * 5000, '{"tasks": [{"a": ' + "{" * 9, "{"])
def test_what_is_no_json_is_left_as_it_is(answer: str) -> None:
    assert tool_story.result("list_tasks", answer) is None


def test_transcripts_and_logs_tell_the_same_however_long_the_answer_is() -> None:
    answer = json.dumps({"tasks": TASKS * 10})
    story = "30 tasks: 10 ready, 10 with worker-1, 10 done"
    event = tool_ended("list_tasks", [{"type": "text", "text": answer}], failed=False)
    assert len(event.text) < len(answer)
    assert list(lines_of(event)) == [f"  ↳ {story}"]

    record = _record(event)
    (line,) = record_lines(record, 100)
    assert "".join(part.text for part in line) == f"╰╴ {story}"
    assert len(record_lines(record, 100, whole=True)) > 1
    failed = tool_ended("list_tasks", "no such task", failed=True)
    assert list(lines_of(failed)) == ["  ↳ failed: no such task"]


def test_what_an_agent_wrote_in_a_call_controls_no_terminal() -> None:
    given = {"worker_id": "worker-1", "task_id": "a\x1b[2J\nb", "summary": "s" * 1000}
    event = tool_started("assign_task", given)

    (told,) = lines_of(event)
    (line,) = record_lines(_record(event), 100)

    shown = "".join(part.text for part in line)
    assert shown.startswith("├╴assign_task a")
    assert shown.endswith("to worker-1")
    assert "\x1b" not in told + shown
    assert record_lines(_record(event), 100, whole=True)[1:]


def _record(event: AgentEvent) -> Record:
    """What the transcript of the dashboard has of an event."""
    payload = {"kind": str(event.kind), "text": event.text, **event.data}
    row = {"seq": 1, "created_at": "2030-03-17T17:30:00.000Z", "type": "coordinator.output"}
    return said({**row, "payload": json.dumps(payload)}, "coordinator")
