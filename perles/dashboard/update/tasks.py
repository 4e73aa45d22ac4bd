"""Keys of the tab of tasks: which task is selected, and all of it on one page."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard.frames.tree import place
from perles.dashboard.model.state import Detail, View
from perles.domain.task_story import branches

TAB: Final = "tasks"
TOP: Final = 10**9
"""Further up than any page is long: the screen stops at its top."""
_HEAD: Final = 8
"""Rows that are no tasks, about."""


def press(detail: Detail, name: str, view: View) -> Detail | None:
    """The detail after a key of this tab; None for other keys, and in other tabs."""
    keys = _keys(view)
    if detail.tab != TAB or not keys:
        return None
    if detail.opened:
        return replace(detail, opened=False, up=0) if name in ("esc", "enter") else None
    at = keys.index(detail.task) if detail.task in keys else 0
    if name == "enter":
        return replace(detail, task=keys[at], opened=True, up=TOP)
    page = max(1, view.size[1] - _HEAD)
    steps = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": page, "pageup": -page}
    steps |= {"g": -len(keys), "home": -len(keys), "G": len(keys), "end": len(keys)}
    if name not in steps:
        return None
    if detail.task is None and abs(steps[name]) == 1:
        at -= steps[name]  # nothing was selected: the first key selects where one is
    chosen = keys[max(0, min(at + steps[name], len(keys) - 1))]
    return _in_sight(replace(detail, task=chosen), view)


def _keys(view: View) -> list[str]:
    """The keys of the tasks, as they stand on the screen."""
    tasks = () if view.inside is None else view.inside.tasks
    return [task["key"] for task, _, _ in branches(tasks)]


def _in_sight(detail: Detail, view: View) -> Detail:
    """The detail scrolled as little as shows the line of the selected task."""
    assert view.inside is not None
    line, count = place(view.inside.tasks, detail.task)
    height = max(1, view.size[1] - _HEAD)
    below = count - line - 1
    if below <= detail.up:
        return replace(detail, up=max(0, below - 1))  # the last row tells how much is below
    return replace(detail, up=max(detail.up, min(below - height + 1, count - height), 0))
