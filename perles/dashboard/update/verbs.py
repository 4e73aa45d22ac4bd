"""The verbs on workflows: when each can act, and what is said when it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from perles.dashboard.model.state import Effect, Notice, Question, Result, State, View, selected_id
from perles.dashboard.model.verbs import KEYS, WHY_NOT, states_for
from perles.domain.states import PRIORITIES, WORKFLOW

RANKS: Final = {"+": 1, "=": 1, "-": -1}
"""Keys that raise and lower the priority; + without shift is = on many keyboards."""


def by_key(state: State, name: str, view: View) -> Result | None:
    """Act by the key of a verb or of a priority; None for another key."""
    if name in KEYS:
        return press(state, name, view)
    return rank(state, RANKS[name], view) if name in RANKS else None


def press(state: State, name: str, view: View) -> Result:
    """Act on what is marked, or on what is selected, by the key of a verb."""
    verb = KEYS[name]
    ids = _meant(state, view)
    if not ids:
        return replace(state, notice=Notice(f"nothing to {verb}: no workflow is selected")), ()
    possible = states_for(verb)
    able = [i for i in ids if i not in view.rows or view.rows[i]["state"] in possible]
    if not able:
        return replace(state, notice=_refusal(verb, ids, view.rows)), ()
    if verb == "stop":
        return replace(state, question=Question("stop", tuple(able), _asked(able, view))), ()
    return go(state, verb, tuple(able))


def _meant(state: State, view: View) -> tuple[str, ...]:
    """The workflows that a key acts on."""
    marked = state.table.marked if state.screen == "table" else frozenset()
    one = selected_id(state, view)
    return tuple(sorted(marked)) or ((one,) if one else ())


def rank(state: State, step: int, view: View) -> Result:
    """Raise or lower the priority of what is marked, or of what is selected, by one."""
    ids = _meant(state, view)
    rows = [view.rows[id] for id in ids if id in view.rows]
    able = [row for row in rows if row["state"] not in WORKFLOW.terminal]
    wanted: dict[str, list[str]] = {}
    for row in able:
        place = row["priority"] + step
        if 0 <= place < len(PRIORITIES):
            wanted.setdefault(PRIORITIES[place], []).append(row["id"])
    if not wanted:
        return replace(state, notice=_no_rank(rows, able, step)), ()
    table = replace(state.table, marked=frozenset())
    effects = tuple(
        Effect("do", {"verb": "priority", "ids": tuple(some), "to": name, "force": False})
        for name, some in wanted.items()
    )
    return replace(state, table=table, notice=Notice("setting the priority …")), effects


def _no_rank(rows: Sequence[Mapping[str, Any]], able: Sequence[Any], step: int) -> Notice:
    if not rows:
        return Notice("no priority to set: no workflow is selected")
    if not able:
        what = f"{rows[0]['name']} is {rows[0]['state']}" if len(rows) == 1 else "all have ended"
        return Notice(f"cannot set the priority: {what}", "warn")
    return Notice(f"the priority is {PRIORITIES[-1 if step > 0 else 0]} already")


def go(state: State, verb: str, ids: Sequence[str], *, force: bool = False) -> Result:
    """Have a verb carried out on workflows; the marks have done their duty."""
    table = replace(state.table, marked=frozenset())
    what = ids[0] if len(ids) == 1 else f"{len(ids)} workflows"
    effect = Effect("do", {"verb": verb, "ids": tuple(ids), "force": force})
    return replace(state, table=table, notice=Notice(f"{verb} {what} …")), (effect,)


def _asked(ids: Sequence[str], view: View) -> str:
    if len(ids) > 1:
        return f"Stop these {len(ids)} workflows for good?"
    row = view.rows.get(ids[0])
    return f"Stop {row['name'] if row else ids[0]} for good?"


def _refusal(verb: str, ids: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> Notice:
    if len(ids) > 1:
        return Notice(f"cannot {verb} any of the {len(ids)} marked workflows", "warn")
    row = rows[ids[0]]
    found = str(row["state"])
    why = WHY_NOT.get((verb, found), f"it is {found}")
    return Notice(f"cannot {verb} {row['name']}: {why}", "warn")
