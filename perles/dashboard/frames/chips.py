"""How many workflows are in each state, with the key that filters by it."""

from __future__ import annotations

from perles.dashboard.frames.parts import GLYPHS
from perles.dashboard.model.chips import STATES, is_on
from perles.dashboard.model.state import State, View
from perles.dashboard.terminal.segments import Line, Segment, columns_of
from perles.domain.text import clean


def chips(state: State, view: View, columns: int) -> Line:
    """A chip for each state that workflows are in; in words where there is room."""
    return tuple(part for _, chip in _all(state, view, columns) for part in chip)


def state_at(state: State, view: View, columns: int, x: int) -> str | None:
    """The state whose chip stands in this column of the line, behind the filter."""
    end = columns_of(filter_line(state, view))
    if x < end:
        return None
    for name, chip in _all(state, view, columns - end):
        end += columns_of(chip)
        if x < end:
            return name
    return None


def filter_line(state: State, view: View) -> Line:
    """The filter of the table, how many fit it, and how many are marked."""
    table = state.table
    if state.screen != "table":
        return ()
    parts = []
    if table.filter.text:
        parts.append(Segment(f"/{clean(table.filter.text)}  ", "focus"))
        parts.append(Segment(f"{len(view.ids)} of {view.total}; Esc clears  ", "muted"))
    if table.marked:
        parts.append(Segment(f"{len(table.marked)} marked  ", "warn"))
    return tuple(parts)


def _all(state: State, view: View, columns: int) -> list[tuple[str, Line]]:
    for words in (True, False):
        found = [
            (name, _chip(number, name, view.totals.states[name], state, words=words))
            for number, name in enumerate(STATES, 1)
            if view.totals.states.get(name)
        ]
        if sum(columns_of(chip) for _, chip in found) <= columns:
            return found
    return []


def _chip(number: int, name: str, count: int, state: State, *, words: bool) -> Line:
    style = "title" if is_on(state.table.filter.text, name) else f"state.{name}"
    text = f" {GLYPHS[name]} {count} {name}" if words else f" {GLYPHS[name]}{count}"
    return Segment(str(number), "key"), Segment(text, style), Segment("  ")
