"""The task tree: each task under the last of those it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perles.dashboard.frames.parts import TASK_GLYPHS, moment, short_span
from perles.dashboard.terminal.segments import Line, Segment, line
from perles.domain.text import clean, cut, width

Task = Mapping[str, Any]


def tree(tasks: Sequence[Task], columns: int, now: float, *, full: bool = True) -> list[Line]:
    """A line a task, with what it waits for; `full` adds failures beneath."""
    children = _children(tasks)
    found: list[Line] = []
    stack = [(task, "", "") for task in reversed(children.get("", []))]
    while stack:
        task, lead, below = stack.pop()
        found.append(_line(task, lead, columns, now))
        if full and task["failure"]:
            text = cut(clean(str(task["failure"])), max(1, columns - width(below) - 4))
            found.append(line(Segment(f"{below}    {text}", "bad")))
        inner = children.get(task["key"], [])
        for index in range(len(inner) - 1, -1, -1):
            last = index == len(inner) - 1
            stack.append(
                (inner[index], below + ("└─" if last else "├─"), below + ("  " if last else "│ "))
            )
    return found


def _children(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Tasks by the one they hang on: the last they wait for, in the order of the plan."""
    order = {task["key"]: index for index, task in enumerate(tasks)}
    found: dict[str, list[Task]] = {}
    for task in tasks:
        known = [key for key in task["after"] if order.get(key, len(order)) < order[task["key"]]]
        parent = max(known, key=lambda key: order[key], default="")
        found.setdefault(parent, []).append(task)
    return found


def _line(task: Task, lead: str, columns: int, now: float) -> Line:
    glyph, style = TASK_GLYPHS.get(task["status"], ("?", ""))
    end = task["ended_at"]
    took = ""
    if task["started_at"]:
        took = short_span((moment(end) if end else now) - moment(task["started_at"]))
    others = task["after"][:-1] if len(task["after"]) > 1 else []
    extra = [task["assignee"] or "", took, f"after {', '.join(others)}" if others else ""]
    note = "  ".join(part for part in extra if part)
    lead = cut(lead, max(0, columns // 2))
    name = task["name"] if task["name"] != task["key"] else ""
    room = max(4, columns - width(lead) - 3)
    text = cut(clean(f"{task['key']} {name}".strip()), room)
    rest = room - width(text) - 2
    return line(
        Segment(lead, "muted"),
        Segment(f"{glyph} ", style),
        Segment(text, style if task["status"] != "pending" else "muted"),
        Segment(f"  {cut(clean(note), rest)}" if rest > 3 else "", "muted"),
    )
