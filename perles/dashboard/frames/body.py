"""The body of a tab: all of its lines, or by the record that each belongs to."""

from __future__ import annotations

from typing import Final, NamedTuple

from perles.dashboard.frames.task import page
from perles.dashboard.frames.timeline import timeline
from perles.dashboard.frames.transcript import lines_of, record_lines
from perles.dashboard.frames.tree import tree
from perles.dashboard.model.state import SHALLOW, Detail, Inside, View
from perles.dashboard.reading.detail import Record
from perles.dashboard.terminal.segments import Line, Segment, line

WIDE: Final = 120
"""From this width on, the tasks stand beside every tab."""
SIDE: Final = 42


class Span(NamedTuple):
    """The lines of one record, and where the first of them stands among all."""

    key: int
    first: int
    lines: tuple[Line, ...]
    record: Record | None


def columns_beside(columns: int) -> int:
    """The width of a tab's body on a screen of this width."""
    return columns - SIDE - 3 if columns >= WIDE else columns


def is_read(detail: Detail, inside: Inside) -> bool:
    """Whether what was read is what the detail shows."""
    return inside.tab == detail.tab and inside.row["id"] == detail.workflow_id


def body_lines(detail: Detail, view: View, inside: Inside, columns: int) -> list[Line]:
    """Every line of the tab that is shown."""
    if not is_read(detail, inside):
        return [line(Segment("…", "muted"))]  # what is wanted could not be read yet
    if detail.tab == "tasks":
        shown = next((one for one in inside.tasks if one["key"] == detail.task), None)
        if detail.opened and shown is not None:
            return page(shown, columns)
        found = tree(inside.tasks, columns, view.now, selected=detail.task)
        if found and inside.more_tasks:
            told = f"… and {inside.more_tasks} more: perles tasks {inside.row['id']} --all"
            found.insert(0, line(Segment(told, "muted")))
        return found or [line(Segment("no tasks", "muted"))]
    if detail.tab == "timeline":
        return timeline(inside.body, columns, view.now)
    found = lines_of(inside.body, columns, detail.whole)
    if found:
        return found
    empty = {
        "messages": "no message yet",
        "log": "no output yet",
        "channels": f"no post in #{detail.channel} yet",
    }
    text = empty.get(detail.tab, "nothing yet")
    return [line(Segment(text, "muted"))]


def spans(detail: Detail, view: View, inside: Inside, columns: int) -> list[Span]:
    """The lines by record; those of a tab that is no window on the journal as one."""
    if detail.tab in SHALLOW or not is_read(detail, inside):
        return [Span(0, 0, tuple(body_lines(detail, view, inside, columns)), None)]
    found, first = [], 0
    for record in inside.body:
        lines = record_lines(record, columns, detail.whole)
        found.append(Span(record.key, first, lines, record))
        first += len(lines)
    return found
