"""Keys of the table of workflows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.controlplane.held_reads import SORTS
from perles.dashboard.frames.chips import state_at
from perles.dashboard.model import editor
from perles.dashboard.model.chips import STATES, toggled
from perles.dashboard.model.form import GOAL_KEY, Form
from perles.dashboard.model.seen import is_new
from perles.dashboard.model.state import (
    Detail,
    Effect,
    Notice,
    Result,
    State,
    Table,
    View,
    is_first,
    selected_id,
    table_rows,
)
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update import copy, diff, verbs
from perles.dashboard.update.shared import unknown

CHIPS: Final = {str(number): name for number, name in enumerate(STATES, 1)}
"""The state that each digit filters by."""
MOST_FILTER: Final = 200
"""Characters that a filter may have."""
FIRST_ROW = 2
"""The row of the screen where the first workflow stands."""


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key on the table."""
    if state.table.typing:
        return _type(state, key, view)
    moved = _move(state.table, key, view)
    if moved is not None:
        return replace(state, table=moved), ()
    acted = verbs.by_key(state, key.name, view)
    if acted is not None:
        return acted
    if key.name in ("n", "N"):
        form = Form(start=key.name == "N")
        return replace(state, screen="form", form=form), (Effect("templates"), Effect("providers"))
    if key.name == "enter" and is_first(view):
        form = Form(wanted=GOAL_KEY)
        return replace(state, screen="form", form=form), (Effect("templates"), Effect("providers"))
    if key.name in ("enter", "tab"):
        return open_detail(state, selected_id(state, view))
    if key.name == "y":
        return copy.workflow(state, selected_id(state, view))
    if key.name == "click":
        return _click(state, key, view)
    if key.name == "D":
        return diff.begin(state, selected_id(state, view))
    return _rest(state, key, view), ()


def _rest(state: State, key: Key, view: View) -> State:
    table = state.table
    if key.name == "i":
        return replace(state, screen="inbox")
    if key.name == "C":
        return replace(state, screen="nodes")
    if key.name == "/":
        return replace(state, table=replace(table, typing=True))
    if key.name == "esc":
        return replace(state, table=_clear(table))
    if key.name == " ":
        return replace(state, table=_mark(table, view))
    if key.name in ("o", "O"):
        names = list(SORTS)
        step = 1 if key.name == "o" else -1
        sort = names[(names.index(table.sort) + step) % len(names)]
        return replace(state, table=replace(table, sort=sort), notice=Notice(f"sorted by {sort}"))
    if key.name in CHIPS:
        return replace(state, table=_filtered_by(table, CHIPS[key.name]))
    if key.name == "!":
        return next_attention(state, view)
    return unknown(state, key)


def _filtered_by(table: Table, name: str) -> Table:
    text = editor.of(toggled(table.filter.text, name)[:MOST_FILTER])
    return replace(table, filter=text, cursor=0, cursor_id=None)


def open_detail(state: State, workflow_id: str | None) -> Result:
    """Show one workflow's inside."""
    if workflow_id is None:
        return replace(state, notice=Notice("nothing to open: no workflow is selected")), ()
    opened = Detail(workflow_id)
    draft = editor.of(state.drafts.get((workflow_id, opened.to), ""))
    return replace(state, screen="detail", detail=replace(opened, input=draft)), ()


def _move(table: Table, key: Key, view: View) -> Table | None:
    last = max(0, len(view.ids) - 1)
    page = table_rows(view.size)
    at = min(table.cursor, last)
    places = {
        "j": at + 1,
        "down": at + 1,
        "k": at - 1,
        "up": at - 1,
        "g": 0,
        "home": 0,
        "G": last,
        "end": last,
        "pageup": at - page,
        "pagedown": at + page,
        "wheel-up": at - 3,
        "wheel-down": at + 3,
    }
    return None if key.name not in places else select(table, places[key.name], view)


def select(table: Table, place: int, view: View) -> Table:
    """The table with the cursor on a place, as near as there is one, and in sight."""
    at = max(0, min(place, len(view.ids) - 1))
    rows = table_rows(view.size)
    top = min(max(table.top, at - rows + 1), at)
    top = max(0, min(top, len(view.ids) - rows))
    chosen = view.ids[at] if view.ids else None
    return replace(table, cursor=at, cursor_id=chosen, top=top)


def _click(state: State, key: Key, view: View) -> Result:
    if key.y == view.size[1] - 2:
        chosen = state_at(state, view, view.size[0], key.x)
        table = state.table if chosen is None else _filtered_by(state.table, chosen)
        return replace(state, table=table), ()
    place = state.table.top + key.y - FIRST_ROW
    if not (0 <= key.y - FIRST_ROW < table_rows(view.size)) or place >= len(view.ids):
        return state, ()
    if place == state.table.cursor:
        return open_detail(state, view.ids[place])
    return replace(state, table=select(state.table, place, view)), ()


def _clear(table: Table) -> Table:
    if table.filter.text:
        return replace(table, filter=editor.Editor())
    return replace(table, marked=frozenset())


def _mark(table: Table, view: View) -> Table:
    if not view.ids:
        return table
    at = min(table.cursor, len(view.ids) - 1)
    marked = table.marked ^ {view.ids[at]}
    return select(replace(table, marked=marked), at + 1, view)


def next_attention(state: State, view: View) -> State:
    """On the next row that wants attention: one that nobody looked at before all others."""
    count = len(view.ids)
    after = [(state.table.cursor + step) % count for step in range(1, count + 1)]
    wanted = [at for at in after if view.ids[at] in view.attention.newest]
    at = next((at for at in wanted if is_new(state, view, view.ids[at])), None)
    if wanted:
        return replace(state, table=select(state.table, wanted[0] if at is None else at, view))
    elsewhere = "; the inbox, i, has what these rows do not show" if view.waiting else ""
    return replace(state, notice=Notice(f"nothing here needs you{elsewhere}"))


def _type(state: State, key: Key, view: View) -> Result:
    """Typing the filter: it holds at each key; Enter keeps it, Esc clears it."""
    table = state.table
    if key.name in ("enter", "esc"):
        kept = table.filter if key.name == "enter" else editor.Editor()
        return replace(state, table=replace(table, typing=False, filter=kept)), ()
    if key.name in ("up", "down", "pageup", "pagedown"):
        moved = _move(table, key, view)
        return replace(state, table=moved or table), ()
    edited = editor.edit(table.filter, key)
    if edited is None:
        return state, ()
    if len(edited.text) > MOST_FILTER:
        edited = editor.of(edited.text[:MOST_FILTER])
    return replace(state, table=replace(table, filter=edited, cursor=0, cursor_id=None)), ()
