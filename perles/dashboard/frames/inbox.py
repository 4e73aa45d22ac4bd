"""The inbox: what waits for a person, a line each, the chosen one in full below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perles.dashboard.frames.parts import day_and_time, top_of, typed
from perles.dashboard.frames.text import markdown
from perles.dashboard.model.state import State, View, waiting_place, waiting_row
from perles.dashboard.terminal.segments import Line, Segment, cell, fit, line, selected

_KINDS: Final = {
    "approval": ("? task", "warn"),
    "question": ("? asks", "warn"),
    "notification": ("▲ says", "warn"),
    "failed": ("✗ failed", "bad"),
    "stuck": ("‼ stuck", "bad"),
    "budget": ("$ budget", "warn"),
}


def draw(state: State, view: View) -> tuple[list[Line], tuple[int, int] | None]:
    """All rows but the last two, and where the cursor stands while an answer is typed."""
    columns = view.size[0]
    count = len(view.waiting)
    lines = [fit(line(Segment("Inbox ", "title"), Segment(f"{count} waiting", "muted")), columns)]
    if not count and state.inbox.answer is None:
        return [*lines, (), line(Segment("  nothing waits for you", "muted"))], None
    below, shown = _rows(view)
    place_of = waiting_place(state, view)
    top = _top(state, view, shown)
    for place in range(top, min(count, top + shown)):
        drawn = _row(view.waiting[place], columns)
        lines.append(selected(drawn) if place == place_of else drawn)
    lines += [()] * (1 + shown - len(lines))
    lines.append(line(Segment("─" * columns, "border")))
    return _below(state, view, lines, below)


def place_at(state: State, view: View, y: int) -> int | None:
    """Which row of the inbox stands in a row of the screen."""
    _, shown = _rows(view)
    place = _top(state, view, shown) + y - 1
    return place if 0 < y <= shown and place < len(view.waiting) else None


def _rows(view: View) -> tuple[int, int]:
    """How many rows the text below has, and how many the list."""
    rows = view.size[1] - 4
    below = max(2, rows // 3)
    return below, max(1, rows - below)


def _top(state: State, view: View, shown: int) -> int:
    count = len(view.waiting)
    place = waiting_place(state, view)
    at = min(state.inbox.cursor, count - 1) if place is None else place
    return top_of(at, count, shown)


def _below(
    state: State, view: View, lines: list[Line], rows: int
) -> tuple[list[Line], tuple[int, int] | None]:
    columns = view.size[0]
    row = waiting_row(state, view)
    answer = state.inbox.answer
    cursor = None
    if answer is not None:
        prompt = {"approve": "Approve, note: ", "deny": "Deny, why: "}.get(
            state.inbox.verb, "Answer: "
        )
        text, at = answer.text.replace("\n", " "), answer.at
        field, column = typed(prompt, text, at, columns)
        cursor = (column, len(lines))
        lines.append(field)
    if row is None and answer is not None:
        lines.append(line(Segment("it does not wait any more; Esc leaves", "warn")))
    if row is not None:
        lines += markdown(str(row["text"] or ""), columns)[: max(0, rows - (answer is not None))]
    return lines, cursor


def _row(row: Mapping[str, Any], columns: int) -> Line:
    kind, style = _KINDS.get(row["kind"], (str(row["kind"]), ""))
    name = max(10, columns // 4)
    text = f"{row['task']}: {row['text']}" if row["task"] else str(row["text"] or "")
    whose = cell(str(row["workflow"] or "-"), name)
    parts = [
        Segment(cell(kind, 9) + " ", style),
        Segment(whose + " ", "bold"),
    ]
    if columns >= 80:
        parts.append(Segment(day_and_time(row["at"]) + " ", "muted"))
    used = 11 + name + (12 if columns >= 80 else 0)
    return fit((*parts, Segment(cell(text, max(1, columns - used)))), columns)
