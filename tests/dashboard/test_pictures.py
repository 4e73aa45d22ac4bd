"""The pictures of the README: made here, and held to what the dashboard looks like.

`PERLES_STORE_FRAMES=1` makes them anew; look at them before you keep them.
"""

import html
import os
import re
from pathlib import Path
from typing import Any

import pytest

from perles.config.theme import Theme
from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import Detail, Inside, State, View, attention
from perles.dashboard.reading.detail import Record
from perles.dashboard.terminal.picture import svg
from perles.store.reads.current_work import Wait
from perles.store.reads.dashboard import Totals
from tests.dashboard.views import NOW, row, waiting

DOCS = Path(__file__).parents[2] / "docs"
SIZE = (120, 24)
HERE = {"template_id": "feature", "branch": None, "reason": None, "attention": None}


def _doing(text: str, minute: int | None = None, count: int = 1) -> tuple[Wait, ...]:
    return (Wait(text, None if minute is None else f"2030-03-17T17:{minute}:30.000Z"),) * count


ROWS = [
    row(0, name="Payments: retry with backoff", workers=2, tasks_done=5, tokens_used=412_000,
        cost_usd=3.18, priority=2, health="healthy", doing=_doing("worker-1: pytest -q", 44, 2),
        **HERE),
    row(0, name="Search index tidy", workers=3, tasks_done=2, tokens_used=186_000, cost_usd=1.42,
        health="healthy", started_at="2030-03-17T17:31:00.000Z", priority=1,
        doing=_doing("rate limited until 18:05 (claude)"), **HERE),
    row(0, name="Deploy the shop", workers=1, tasks_done=6, tasks_total=7, tokens_used=61_000,
        cost_usd=0.47, health="healthy", priority=1, **{**HERE, "attention": "waiting for you"}),
    row(0, name="Translate the handbook", workers=1, tasks_done=1, tokens_used=98_000,
        cost_usd=0.9, health="degraded", priority=1,
        doing=_doing("worker-2: Chapter 3", 40), **{**HERE, "attention": "degraded"},
        last_heartbeat_at="2030-03-17T17:43:00.000Z"),
    row(1, name="Weekly report", tasks_done=0, tokens_used=0, cost_usd=0, priority=1, workers=0,
        **{**HERE, "reason": "waiting: 4 of 4 workflows run"},
        start_requested_at="2030-03-17T17:40:00.000Z", queue_place=1),
    row(2, name="Dark mode for the cart", tasks_done=4, tokens_used=230_000, cost_usd=1.71,
        workers=0, priority=0, **HERE),
    row(4, name="Lint sweep", tasks_done=3, tokens_used=51_000, cost_usd=0.38, workers=0,
        priority=1, **{**HERE, "attention": "failed", "reason": "1 of 8 tasks failed: types"}),
    row(3, name="Invoice export", tasks_done=8, tokens_used=377_000, cost_usd=2.96, workers=0,
        priority=1, **{**HERE, "reason": "8 tasks done"}),
    row(5, name="Old spike", tasks_done=1, tokens_used=12_000, cost_usd=0.08, workers=0,
        priority=0, **HERE),
]  # fmt: skip
for number, one in enumerate(ROWS):
    one["id"] = f"wf-{number:08}"
ASKS = [
    waiting(2, workflow="Deploy the shop", text="Deploy v2.3?"),
    waiting(1, workflow_id="wf-00000006", kind="failed", task=None, text="1 of 8 tasks failed"),
]
VIEW = View(
    ids=[one["id"] for one in ROWS], rows={one["id"]: one for one in ROWS}, total=len(ROWS),
    totals=Totals(4, 7, 5, 1_427_000, 11.1, 1), waiting=ASKS, now=NOW, size=SIZE, work=True,
    attention=attention(ASKS), limits={"workflows": 4, "workers": 10, "ai_calls": 6},
)  # fmt: skip


def _task(key: str, name: str, status: str, after: str = "", who: str = "worker-1") -> Any:
    return {
        "key": key, "name": name, "status": status, "after": [after] if after else [],
        "assignee": who if status not in ("pending", "ready") else None, "failure": None,
        "started_at": None if status == "pending" else "2030-03-17T17:30:00.000Z",
        "ended_at": "2030-03-17T17:34:00.000Z" if status == "done" else None,
    }  # fmt: skip


def _agent(name: str, status: str, task: str | None) -> dict[str, Any]:
    return {
        "id": 1, "name": name, "role": name, "status": status, "phase": "idle", "task": task,
        "queued": 0, "last_activity_at": None, "context_used": 53_000, "context_window": 200_000,
    }  # fmt: skip


def _said(number: int, kind: str, text: str, note: str = "", who: str = "coordinator") -> Record:
    return Record(number, f"2030-03-17T17:{30 + number}:07.000Z", kind, who, text, note)


INSIDE = Inside(
    ROWS[0],
    [
        _agent("coordinator", "working", None),
        _agent("worker-1", "working", "wire"),
        _agent("worker-2", "ready", None),
    ],
    [
        _task("model", "Model the backoff", "done"),
        _task("wire", "Wire it in", "in_progress", "model"),
        _task("test", "Test against the gateway", "pending", "wire"),
        _task("docs", "Tell it in the handbook", "done", "model", "worker-2"),
    ],
    "coordinator",
    [
        _said(0, "incoming", "start with the **backoff model**; the gateway allows `5` tries",
              who="user"),
        _said(1, "tool", '{"status": "ready"}', "query_tasks"),
        _said(1, "result-of-tool", "model: Model the backoff\ndocs: Tell it in the handbook",
              "query_tasks"),
        _said(2, "text", "Two tasks are ready. `worker-1` takes the model, `worker-2` the docs:\n"
              "- full jitter, capped at **30 s**\n- no retry of what the card issuer refused"),
        _said(2, "tool", '{"task": "model", "worker": "worker-1"}', "assign_task"),
        _said(2, "tool", '{"task": "docs", "worker": "worker-2"}', "assign_task"),
        _said(6, "incoming", "model is done: 14 tests pass", who="worker-1"),
        _said(7, "tool", '{"task": "wire", "worker": "worker-1"}', "assign_task"),
    ],
)  # fmt: skip
PICTURES = {
    "dashboard": (State(), VIEW),
    "dashboard-detail": (
        State(screen="detail", detail=Detail("wf-00000000")), VIEW._replace(inside=INSIDE)
    ),
}  # fmt: skip


def _text(picture: str) -> str:
    return html.unescape("\n".join(re.findall(r">([^<>]*)</text>", picture)))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_the_readme_is_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    _, frame = Composer().compose(*PICTURES[name])
    picture = svg(frame, SIZE, Theme())
    path = DOCS / f"{name}.svg"
    if os.environ.get("PERLES_STORE_FRAMES"):
        path.write_text(picture)

    assert _text(picture) == _text(path.read_text())
    assert f"docs/{name}.svg" in (DOCS.parent / "README.md").read_text()
