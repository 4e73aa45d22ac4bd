"""Keys while one types the name to go to, and the going."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.model import editor
from perles.dashboard.model.jump import MOST_LETTERS, Jump, Target
from perles.dashboard.model.state import Effect, Result, State, View, offered
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update import channels
from perles.dashboard.update.detail import leave, opened
from perles.dashboard.update.table import open_detail

_STEPS = {"down": 1, "tab": 1, "up": -1, "shift-tab": -1, "pagedown": 10, "pageup": -10}
_STEPS |= {"wheel-down": 3, "wheel-up": -3}


def press(state: State, jump: Jump, key: Key, view: View) -> State:
    """The state after a key that types or moves; Esc ends it."""
    if key.name == "esc" or (key.name == "backspace" and not jump.text.text):
        return replace(state, jump=None)
    step = _STEPS.get(key.name)
    if step is not None:
        at = max(0, min(jump.cursor + step, len(offered(state, view)) - 1))
        return replace(state, jump=replace(jump, cursor=at))
    edited = editor.edit(jump.text, key)
    if edited is None:
        return state
    if len(edited.text) > MOST_LETTERS:
        edited = editor.of(edited.text[:MOST_LETTERS])
    return replace(state, jump=Jump(edited))


def go(state: State, target: Target) -> Result:
    """To what was chosen: a workflow, something in one, or what a setting says."""
    if target.kind == "setting":
        return state, (Effect("setting", {"key": target.name}),)
    if state.detail is None or state.detail.workflow_id != target.workflow_id:
        state = state if state.detail is None else leave(state, state.detail)
        state, _ = open_detail(replace(state, diff=None), target.workflow_id)
    state = replace(state, screen="detail", diff=None)
    assert state.detail is not None
    detail = state.detail
    if target.kind in ("agent", "tab"):
        detail = opened(detail, target.name)
    elif target.kind == "task":
        detail = replace(opened(detail, "tasks"), task=target.name, opened=True)
    elif target.kind == "channel":
        detail = channels.showing(opened(detail, "channels"), target.name)
    return replace(state, detail=detail), ()
