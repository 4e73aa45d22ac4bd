"""All of one task: what was asked, reported, said in its reviews and committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perles.dashboard.terminal.segments import Line, Segment, line, wrap
from perles.domain.task_story import INDENT, story, why
from perles.domain.text import clean

_MAX: Final = 2_000
"""Lines of a task that are laid out."""


def page(task: Mapping[str, Any], columns: int) -> list[Line]:
    """The lines of the page; text of agents is cleaned."""
    name = f"  {task['name']}" if task["name"] != task["key"] else ""
    who = f", {task['assignee']}" if task["assignee"] else ""
    found = _wrapped(f"{task['key']}{name}", columns, "title")
    found += _wrapped(f"{task['status']}{who}", columns, "muted")
    for text in why(task):
        found += _wrapped(text, columns, "muted" if task["status"] == "skipped" else "bad")
    found.append(())
    if "comments" not in task:
        return [*found, line(Segment("…", "muted"))]
    lines = story(task)
    for text in lines[:_MAX]:
        found += _wrapped(text, columns, "" if text.startswith(INDENT) else "bold")
    if len(lines) > _MAX:
        found.append(line(Segment(f"… {len(lines) - _MAX} more lines: perles tasks", "muted")))
    return found


def _wrapped(text: str, columns: int, style: str) -> list[Line]:
    """A line in as many as it takes; what stands under a head stays indented."""
    inner = text.lstrip(" ")
    lead = " " * min(len(text) - len(inner), columns // 2)
    parts = wrap(clean(inner), max(8, columns - len(lead))) or [""]
    return [line(Segment(f"{lead}{part}", style)) for part in parts]
