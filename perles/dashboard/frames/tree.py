"""The task tree: each task under the last of those it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from perles.dashboard.frames.parts import TASK_GLYPHS, moment
from perles.dashboard.terminal.segments import Line, Segment, line
from perles.domain.duration import short_span
from perles.domain.task_story import IN_WORDS, branches, standing
from perles.domain.text import clean, cut, width

Task = Mapping[str, Any]
MOST_HELD: Final = 20_000
"""Lines that are kept for the next frame: as many as a workflow may have tasks."""


def tree(
    tasks: Sequence[Task],
    columns: int,
    now: float,
    *,
    full: bool = True,
    selected: str | None = None,
    most: int | None = None,
) -> list[Line]:
    """A line a task, with what it waits for; `full` adds failures beneath.

    No more than the first `most` tasks are drawn.
    """
    found: list[Line] = []
    for task, lead, below in islice(branches(tasks), most):
        drawn = _line(task, lead, columns, now)
        found.append(_marked(drawn) if task["key"] == selected else drawn)
        if full and task["failure"]:
            text = cut(clean(str(task["failure"])), max(1, columns - width(below) - 4))
            style = "muted" if task["status"] == "skipped" else "bad"
            found.append(line(Segment(f"{below}    {text}", style)))
    return found


def place(tasks: Sequence[Task], selected: str | None) -> tuple[int, int]:
    """On which line of the full tree a task stands, and how many lines there are."""
    line_of, count = 0, 0
    for task, _, _ in branches(tasks):
        line_of = count if task["key"] == selected else line_of
        count += 2 if task["failure"] else 1
    return line_of, count


def _marked(drawn: Line) -> Line:
    return tuple(Segment(one.text, "reverse") for one in drawn)


def _line(task: Task, lead: str, columns: int, now: float) -> Line:
    glyph, style = TASK_GLYPHS.get(task["status"], ("?", ""))
    end = task["ended_at"]
    took = ""
    if task["started_at"]:
        took = short_span((moment(end) if end else now) - moment(task["started_at"]))
    others = task["after"][:-1] if len(task["after"]) > 1 else []
    extra = [
        IN_WORDS.get(task["status"], ""),
        task["assignee"] or "",
        took,
        standing(task),
        f"after {', '.join(others)}" if others else "",
    ]
    note = "  ".join(part for part in extra if part)
    name = task["name"] if task["name"] != task["key"] else ""
    shown = f"{task['key']} {name}".strip()
    is_pending = task["status"] == "pending"
    return _drawn(lead, columns, glyph, style, shown, note, is_pending)


@lru_cache(maxsize=MOST_HELD)
def _drawn(
    lead: str, columns: int, glyph: str, style: str, shown: str, note: str, is_pending: bool
) -> Line:
    lead = cut(lead, max(0, columns // 2))
    room = max(4, columns - width(lead) - 3)
    text = cut(clean(shown), room)
    rest = room - width(text) - 2
    return line(
        Segment(lead, "muted"),
        Segment(f"{glyph} ", style),
        Segment(text, "muted" if is_pending else style),
        Segment(f"  {cut(clean(note), rest)}" if rest > 3 else "", "muted"),
    )
