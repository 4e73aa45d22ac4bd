"""Keys of the form for a new workflow."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.model import editor, form
from perles.dashboard.model.form import Form
from perles.dashboard.model.state import Effect, Notice, Result, State, View
from perles.dashboard.terminal.keys import Key


def press(state: State, key: Key, _view: View) -> Result:
    """The state after a key on the form, and a look at the tasks that it would make now."""
    state, effects = _press(state, key)
    if effects or state.form is None:
        return state, effects
    return with_preview(state, again=bool(state.form.preview.error))


def with_preview(state: State, *, again: bool = False) -> Result:
    """The state that asks for the tasks of the form, where it has others by now."""
    current = state.form
    assert current is not None
    if current.preview.asking:
        return state, ()  # its answer asks again
    wanted = form.sketch(current)
    if wanted is None or (wanted == current.preview.of and not again):
        return state, ()
    preview = current.preview._replace(of=wanted, asking=True)
    shown = replace(state, form=replace(current, preview=preview))
    return shown, (Effect("preview", {"spec": wanted}),)


def _press(state: State, key: Key) -> Result:
    current = state.form
    if current is None:
        return replace(state, screen="table"), ()
    if current.busy and key.name == "esc":
        notice = Notice("it is created meanwhile; its row will come")
        return replace(state, screen="table", form=None, notice=notice), ()
    if current.busy:
        return replace(state, notice=Notice("creating; a moment …, or Esc: it goes on")), ()
    if key.name == "esc":
        return _back(state, current), ()
    if current.template is None:
        return _find(state, current, key), ()
    last = current.focus == len(current.fields) - 1
    if key.name == "ctrl-s" or (key.name == "enter" and last):
        return _submit(state, current)
    if key.name == "click" or key.name.startswith("wheel"):
        return state, ()
    return replace(state, form=form.edit(current, key)), ()


def _back(state: State, current: Form) -> State:
    if current.template is not None and len(current.templates or ()) > 1:
        return replace(state, form=replace(current, template=None, fields=(), error=""))
    return replace(state, screen="table", form=None)


def _find(state: State, current: Form, key: Key) -> State:
    found = form.fits(current)
    if key.name in ("down", "up", "tab", "shift-tab"):
        step = 1 if key.name in ("down", "tab") else -1
        at = max(0, min(len(found) - 1, current.cursor + step))
        return replace(state, form=replace(current, cursor=at))
    if key.name == "enter":
        if not found:
            return replace(state, form=replace(current, error="no template fits"))
        chosen = found[min(current.cursor, len(found) - 1)]
        return replace(state, form=form.choose(current, chosen, ""))
    edited = editor.edit(current.search, key)
    if edited is None:
        return state
    return replace(state, form=replace(current, search=edited, cursor=0, error=""))


def _submit(state: State, current: Form) -> Result:
    wrong = form.check(current)
    if wrong is not None:
        index, why = wrong
        return replace(state, form=replace(current, focus=index, error=why)), ()
    args = {"spec": form.spec(current), "start": current.start}
    return replace(state, form=replace(current, busy=True, error="")), (Effect("create", args),)
