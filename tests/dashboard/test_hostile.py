"""Hostile strings in every text field that is shown, many at a time: tall screens hold them all."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model import editor
from perles.dashboard.model.diff import Comment, Diff, Row
from perles.dashboard.model.form import Form, choose
from perles.dashboard.model.state import (
    Detail,
    Inbox,
    Notice,
    Question,
    State,
    Table,
    View,
    attention,
)
from perles.dashboard.reading.detail import Record
from perles.dashboard.terminal.paint import Painter
from perles.dashboard.terminal.segments import columns_of
from perles.store.reads.current_work import Wait
from tests.dashboard.test_frames import HOSTILE, OURS
from tests.dashboard.views import inside, row, table, waiting

COUNT = 2_500
"""Rows of each kind: each of their fields has a string of its own."""
SIZES = [(100, COUNT + 10), (40, COUNT + 10), (200, 50), (24, 5)]
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
LETTERS = [
    *map(chr, range(0xA0)), *"\u202e\u2066\u200f\u061c\u2028[]表🎉é\ud800\n", "\x1b[2J",
    "\x1b]0;t\x07", "\x1bP+q\x1b\\", "\x9b2J", "\x1b", HOSTILE,
]  # fmt: skip
KINDS = (
    *("incoming", "text", "tool", "result-of-tool", "error", "turn", "usage", "notice"),
    *("message", "event", "file", "raw", "thinking"),
)
OF_OURS = ("state", "status", "health", "id", "workflow_id", "role", "queue_place")
"""Fields whose words the database itself bounds."""

Supply = Callable[[], str]


def _supply() -> Supply:
    chance = random.Random(14)
    return lambda: "".join(chance.choices(LETTERS, k=8))


def _poisoned(given: Mapping[str, Any], supply: Supply) -> dict[str, Any]:
    """The row with every text of its own in it replaced, and the empty ones filled."""
    poisoned: dict[str, Any] = {
        key: supply()
        if (isinstance(value, str) or value is None) and key not in OF_OURS and key[-3:] != "_at"
        else value
        for key, value in given.items()
    }
    return poisoned | ({"doing": (Wait(supply()), Wait(supply()))} if "doing" in given else {})


def _views(supply: Supply) -> View:
    rows = [_poisoned(row(number), supply) for number in range(COUNT)]
    for number, one in enumerate(rows):
        one["id"] = f"wf-{number:08}"
    waits = [
        _poisoned(waiting(number, kind=kind), supply)
        for number in range(COUNT // 5)
        for kind in ("approval", "notification", "failed", "stuck", "budget")
    ]
    view = table(3, (80, 24))
    return view._replace(
        ids=[one["id"] for one in rows], rows={one["id"]: one for one in rows}, waiting=waits,
        attention=attention(waits),
        banner=supply(),
    )  # fmt: skip


def _inside(view: View, tab: str, supply: Supply) -> View:
    found = inside((80, 24)).inside
    assert found is not None
    agents = [
        {**_poisoned(found.agents[0], supply), "name": tab if number == 0 else supply()}
        for number in range(30)
    ]
    tasks = [{**_poisoned(found.tasks[0], supply), "after": [supply()]} for _ in range(COUNT)]
    at = "2030-03-17T17:30:00.000Z"
    body: list[Any] = [
        Record(number, at, kind, supply(), supply(), supply())
        for number in range(COUNT // len(KINDS))
        for kind in KINDS
    ]
    if tab == "timeline":
        body = [
            {"agent": supply(), "status": "running", "started_at": at, "ended_at": None}
            for _ in range(COUNT)
        ]
    held = found._replace(
        row=_poisoned(found.row, supply), agents=agents, tasks=tasks, tab=tab, body=body
    )
    return view._replace(inside=held)


def _form(supply: Supply) -> Form:
    argument = {"key": "k", "label": "", "type": "text", "required": True, "default": "",
                "description": "", "options": []}  # fmt: skip
    arguments = [
        {
            **argument, "label": supply(), "description": supply(), "default": supply(),
            "type": kind, "options": [supply() for _ in range(5)] if "select" in kind else [],
        }
        for kind in ("text", "number", "textarea", "select", "multi-select") * 40
    ]  # fmt: skip
    template = {"key": supply(), "name": supply(), "source": supply(), "error": None,
                "description": supply(), "arguments": arguments}  # fmt: skip
    made = choose(Form(templates=[template]), template, supply())
    return replace(made, error=supply(), providers={"claude": supply()})


def _diff(supply: Supply) -> Diff:
    files = [
        {"path": supply(), "old_path": supply(), "added": 1, "removed": 1} for _ in range(COUNT)
    ]
    kinds = ("file", "hunk", "add", "del", "same", "note")
    rows = tuple(Row(kinds[n % 6], n, supply(), n, n) for n in range(COUNT))
    about = {"name": supply(), "state": "running", "branch": supply(), "base": supply()}
    notes = tuple(Comment(n, supply(), supply()) for n in range(0, COUNT, 7))
    shown = {"rows": rows, "files": files, "about": about, "comments": notes}
    typed = editor.of(supply())
    return Diff("wf-00000000", comment=typed, to=supply(), search=typed, **shown)  # type: ignore[arg-type]


def _templates(supply: Supply) -> Form:
    return Form(
        templates=[
            {"key": supply(), "name": supply(), "source": supply(), "description": supply(),
             "error": supply() if number % 2 else None, "arguments": []}
            for number in range(COUNT)
        ],
        error=supply(),
    )  # fmt: skip


def _states(supply: Supply) -> dict[str, State]:
    typed = editor.of(supply())
    detail = {
        tab: State(screen="detail", detail=Detail("wf-00000000", tab, search=typed))
        for tab in ("coordinator", "messages", "tasks", "timeline", "events", "log")
    }
    return {
        **detail,
        "table": State(notice=Notice(supply(), "bad")),
        "banner": State(table=Table(filter=typed)),
        "filter": State(table=Table(filter=typed, typing=True)),
        "inbox": State(screen="inbox", inbox=Inbox(answer=typed)),
        "chat": State(
            screen="detail",
            detail=Detail("wf-00000000", typing=True, to=supply(), input=editor.of(supply() * 50)),
        ),
        "diff": State(screen="diff", diff=_diff(supply)),
        "stop": State(question=Question("stop", ("wf-00000000",), supply())),
        "form": State(screen="form", form=_form(supply)),
        "templates": State(screen="form", form=_templates(supply)),
    }


@pytest.mark.parametrize("name", _states(_supply()))
def test_nothing_that_others_wrote_controls_the_terminal(name: str) -> None:
    supply = _supply()
    state = _states(supply)[name]
    view = _views(supply)
    if state.detail is not None:
        view = _inside(view, state.detail.tab, supply)
    painter = Painter("true")

    for size in SIZES:
        _, frame = Composer().compose(state, view._replace(size=size))
        written = painter.frame(frame).decode("utf-8")

        assert not FORBIDDEN.search(OURS.sub("", written))
        assert {columns_of(line) for line in frame.lines} == {size[0]}
