"""Keys of the list of nodes: drain one, resume it, open what runs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from perles.dashboard.frames.nodes import place_at
from perles.dashboard.model.nodes import Nodes, place_of
from perles.dashboard.model.state import Effect, Notice, Result, State, View
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.shared import moved, unknown
from perles.dashboard.update.table import open_detail

_VERBS: Final = {"d": "drain", "r": "resume"}


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key on the nodes."""
    place = place_of(state.nodes, view.nodes)
    at = moved(key, place or 0, max(0, len(view.nodes) - 1))
    if at is not None:
        return _at(state, view, at), ()
    if key.name in ("esc", "C"):
        return replace(state, screen="table"), ()
    if key.name == "click":
        chosen = place_at(state, view, key.y)
        return (state if chosen is None else _at(state, view, chosen)), ()
    row = None if place is None else view.nodes[place]
    if key.name in _VERBS:
        return _act(state, _VERBS[key.name], row)
    if key.name == "enter":
        return _open(state, row)
    return unknown(state, key), ()


def _at(state: State, view: View, at: int) -> State:
    name = view.nodes[at]["name"] if view.nodes else None
    return replace(state, nodes=Nodes(at, name))


def _act(state: State, verb: str, row: Mapping[str, Any] | None) -> Result:
    if row is None:
        return replace(state, notice=Notice(f"nothing to {verb}: there is no node")), ()
    effect = Effect("node", {"verb": verb, "name": row["name"]})
    return replace(state, notice=Notice(f"{verb} {row['name']} …")), (effect,)


def _open(state: State, row: Mapping[str, Any] | None) -> Result:
    """The workflow whose turn has run there for the longest time."""
    if row is None or not row["turns"]:
        return replace(state, notice=Notice("nothing to open: no turn runs there")), ()
    return open_detail(state, str(row["turns"][0]["workflow_id"]))
