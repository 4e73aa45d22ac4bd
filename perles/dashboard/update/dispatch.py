"""A key, and what it makes of the state. Pure: nothing is read, nothing is done here."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.model import verbs as model_verbs
from perles.dashboard.model.jump import Jump, chosen
from perles.dashboard.model.state import Effect, Notice, Result, State, View, offered
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update import detail, diff, form, inbox, jump, nodes, table, verbs

QUIT = Effect("quit")


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key, and what is to be done."""
    if key.name == "ctrl-c":
        return state, (QUIT,)
    if key.name == "ctrl-z":
        return state, (Effect("suspend"),)
    if key.name == "ctrl-l":
        return state, (Effect("redraw"),)
    if state.help:
        return _help(state, key), ()
    if state.question is not None:
        return _answer(state, key, view)
    state = replace(state, notice=Notice(""))
    if state.jump is not None:
        return _jump(state, state.jump, key, view)
    if state.screen == "form":
        return form.press(state, key, view)
    if _types(state):
        return _by_screen(state, key, view)
    if key.name == "?":
        return replace(state, help=True, help_top=0), ()
    if key.name == ":":
        return replace(state, jump=Jump()), ()
    if key.name == "q":
        return state, (QUIT,)
    if key.name == "E":
        return _engine(state, view)
    if key.name == "M":
        return _mouse(state)
    return _by_screen(state, key, view)


def _by_screen(state: State, key: Key, view: View) -> Result:
    if state.screen == "detail":
        return detail.press(state, key, view)
    if state.screen == "inbox":
        return inbox.press(state, key, view)
    if state.screen == "nodes":
        return nodes.press(state, key, view)
    if state.screen == "diff":
        return diff.press(state, key, view)
    return table.press(state, key, view)


def _types(state: State) -> bool:
    """Whether letters are text now rather than orders."""
    if state.screen == "table":
        return state.table.typing
    if state.screen == "inbox":
        return state.inbox.answer is not None
    if state.screen == "nodes":
        return False
    if state.screen == "diff":
        found = state.diff
        return found is not None and (found.searching or found.comment is not None)
    return state.detail is not None and (state.detail.typing or state.detail.searching)


def _jump(state: State, asked: Jump, key: Key, view: View) -> Result:
    """Typing a name to go to; Enter goes there, or does what the command's key does."""
    if key.name != "enter":
        return jump.press(state, asked, key, view), ()
    target = chosen(asked, offered(state, view))
    state = replace(state, jump=None)
    if target is None:
        return replace(state, notice=Notice(f"nothing is named {asked.text.text}")), ()
    if target.kind == "command":
        return press(state, Key(target.key, target.key), view)
    return jump.go(state, target)


def _help(state: State, key: Key) -> State:
    step = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": 10, "pageup": -10, " ": 10}
    step |= {"wheel-down": 3, "wheel-up": -3}
    if key.name in step:
        return replace(state, help_top=max(0, state.help_top + step[key.name]))
    return replace(state, help=False) if key.name in ("?", "esc", "q", "enter") else state


def _answer(state: State, key: Key, view: View) -> Result:
    """The stop dialog: y or Enter stops, f at once; anything else does not."""
    question = state.question
    assert question is not None
    state = replace(state, question=None)
    if key.name in ("y", "enter", "f"):
        ended = model_verbs.already_ended(question.ids, view)
        if ended is not None:
            return replace(state, notice=ended), ()
        return verbs.go(state, question.verb, question.ids, force=key.name == "f")
    return replace(state, notice=Notice("nothing was stopped")), ()


def _engine(state: State, view: View) -> Result:
    if view.engine:
        return replace(state, notice=Notice("an engine runs already")), ()
    notice = Notice("starting an engine …")
    return replace(state, notice=notice, engine_wanted=True), (Effect("engine"),)


def _mouse(state: State) -> Result:
    said = (
        "the mouse selects text; M takes it back" if state.mouse else "the mouse clicks and scrolls"
    )
    return replace(state, mouse=not state.mouse, notice=Notice(said)), (Effect("mouse"),)
