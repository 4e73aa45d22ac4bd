"""Views made by hand: what the screen would have read."""

from typing import Any

from perles.dashboard.model.preview import Preview
from perles.dashboard.model.state import Effect, Inside, State, View, attention
from perles.dashboard.reading.detail import Record
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.dispatch import press
from perles.store.reads.current_work import Wait
from perles.store.reads.dashboard import Totals

NOW = 1_900_000_000.0
STATES = ("running", "pending", "paused", "completed", "failed", "stopped")


def row(number: int, **given: Any) -> dict[str, Any]:
    """One workflow of the overview."""
    state = STATES[number % 6]
    started = None if state == "pending" else "2030-03-17T17:00:00.000Z"
    return {
        "id": f"wf-{number:08}",
        "name": f"workflow {number}",
        "template_id": "pipeline",
        "state": state,
        "priority": number % 3,
        "health": ("healthy", "degraded", "stuck")[number // 6 % 3],
        "reason": "task lint failed" if state == "failed" else None,
        "workers": number % 3,
        "tasks_total": 8,
        "tasks_done": number % 9,
        "tasks_failed": 1 if state == "failed" else 0,
        "tasks_tolerated": 0,
        "tokens_used": number * 12_345,
        "token_budget": 0,
        "cost_usd": number / 7,
        "work_dir": "/srv/project",
        "branch": f"perles/{number}" if number % 2 else None,
        "created_at": "2030-03-17T17:00:00.000Z",
        "start_requested_at": None,
        "started_at": started,
        "paused_at": "2030-03-17T17:20:00.000Z" if state == "paused" else None,
        "paused_s": 0.0,
        "ended_at": "2030-03-17T17:40:00.000Z" if number % 6 > 2 else None,
        "last_heartbeat_at": "2030-03-17T17:46:00.000Z",
        "last_progress_at": "2030-03-17T17:44:00.000Z",
        "attention": {"failed": "failed", "running": None}.get(state),
        "waiting_for_user": 0,
        "doing": (Wait("worker-1: pytest -q", "2030-03-17T17:40:00.000Z"),) if number == 0 else (),
        "queue_place": None,
        "unread": 3 if number == 0 else 0,
        "said": "three of four tests pass" if number == 0 else "",
        **given,
    }


def table(count: int, size: tuple[int, int], name: str | None = None) -> View:
    """A view of the table with so many workflows."""
    rows = [row(n, **({} if name is None else {"name": name})) for n in range(count)]
    return View(
        ids=[one["id"] for one in rows],
        rows={one["id"]: one for one in rows[:500]},
        total=count,
        totals=Totals(2, 3, 1, 1_234_567, 4.2, 1),
        waiting=[waiting(1)] if count > 1 else [],
        attention=attention([waiting(1)] if count > 1 else []),
        limits={"workflows": 5, "workers": 10, "ai_calls": 5},
        now=NOW,
        size=size,
    )


def waiting(number: int, **given: Any) -> dict[str, Any]:
    """One row of the inbox."""
    return {
        "seq": number, "kind": "approval", "at": "2030-03-17T17:30:00.000Z",
        "workflow_id": f"wf-{number:08}", "workflow": f"workflow {number}", "task": "ok",
        "text": "approve deploy?", "acknowledged": False, **given,
    }  # fmt: skip


def inside(size: tuple[int, int], text: str = "**Done**: see `notes.md`\n- one\n- two") -> View:
    """A view of one workflow's inside."""
    at = "2030-03-17T17:30:00.000Z"
    records = [
        Record(1, at, "incoming", "user", text),
        Record(2, at, "turn", "coordinator", "started"),
        Record(3, at, "tool", "coordinator", '{"command": "ls"}', "Bash"),
        Record(4, at, "result-of-tool", "coordinator", text, "Bash"),
        Record(5, at, "text", "coordinator", text),
        Record(6, at, "error", "coordinator", text),
    ]
    agents = [_agent("coordinator", "working"), _agent("worker-1", "ready")]
    tasks = [_task("a", "done", []), _task("b", "in_progress", ["a"]), _task("c", "failed", ["a"])]
    return table(3, size)._replace(inside=Inside(row(0), agents, tasks, "coordinator", records))


def preview(size: tuple[int, int], count: int = 3) -> View:
    """A view of the table with the preview of its first row."""
    told = inside(size).inside
    assert told is not None
    shown = Preview("wf-00000000", told.agents, told.tasks, told.body[2:])
    return table(count, size)._replace(preview=shown)


def _agent(name: str, status: str) -> dict[str, Any]:
    return {
        "id": 1, "name": name, "role": name, "status": status, "phase": "idle", "task": None,
        "queued": 1, "last_activity_at": None, "context_used": 53_000, "context_window": 200_000,
    }  # fmt: skip


def _task(key: str, status: str, after: list[str]) -> dict[str, Any]:
    return {
        "key": key, "name": f"task {key}", "status": status, "after": after, "assignee": "worker-1",
        "failure": "exit 3" if status == "failed" else None,
        "started_at": "2030-03-17T17:30:00.000Z", "ended_at": "2030-03-17T17:31:00.000Z",
    }  # fmt: skip


def pressed(state: State, view: View, *names: str) -> tuple[State, list[Effect]]:
    """The state after these keys, and what they want done."""
    effects: list[Effect] = []
    for name in names:
        state, some = press(state, Key(name, name if len(name) == 1 else ""), view)
        effects += some
    return state, effects
