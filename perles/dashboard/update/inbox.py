"""Keys of the inbox: answer, approve, deny, take note, in place."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.frames.inbox import place_at
from perles.dashboard.model import editor
from perles.dashboard.model.state import (
    Effect,
    Inbox,
    Notice,
    Result,
    State,
    View,
    entry_of,
    selected_id,
    waiting_place,
    waiting_row,
)
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.shared import moved, unknown
from perles.dashboard.update.table import open_detail

_GONE = Notice("it does not wait any more; nothing was sent", "warn")
_VERBS = {"y": "approve", "d": "deny", "m": "answer"}


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key on the inbox."""
    inbox = state.inbox
    if inbox.answer is not None:
        return _type(state, inbox, key, view)
    at = moved(key, waiting_place(state, view) or 0, max(0, len(view.waiting) - 1))
    if at is not None:
        entry = entry_of(view.waiting[at]) if view.waiting else None
        return replace(state, inbox=replace(inbox, cursor=at, entry=entry)), ()
    if key.name in ("esc", "i"):
        return replace(state, screen="table"), ()
    if key.name == "click":
        return _click(state, key, view)
    if key.name == "enter":
        return open_detail(state, selected_id(state, view))
    if key.name == "a":
        return _take_note(state, view)
    if key.name in _VERBS:
        return _begin(state, _VERBS[key.name], view), ()
    return unknown(state, key), ()


def _click(state: State, key: Key, view: View) -> Result:
    """One click selects a row, another one opens its workflow."""
    at = place_at(state, view, key.y)
    if at is None:
        return state, ()
    if at == waiting_place(state, view):
        return open_detail(state, selected_id(state, view))
    chosen = replace(state.inbox, cursor=at, entry=entry_of(view.waiting[at]))
    return replace(state, inbox=chosen), ()


def _begin(state: State, verb: str, view: View) -> State:
    row = waiting_row(state, view)
    if row is None:
        return replace(state, notice=Notice(f"nothing to {verb}: nothing waits"))
    if row["workflow_id"] is None:
        return replace(state, notice=Notice(f"nothing to {verb}: it is of no workflow", "warn"))
    if row["kind"] == "question" and verb != "answer":
        return replace(state, notice=Notice("a question wants an answer in words: m", "warn"))
    if verb != "answer" and row["kind"] != "approval":
        keys = "m answers, a takes note, Enter opens it"
        return replace(state, notice=Notice(f"nothing to {verb}: this is no task; {keys}", "warn"))
    answer = replace(state.inbox, answer=editor.Editor(), verb=verb, entry=entry_of(row))
    return replace(state, inbox=answer)


def _take_note(state: State, view: View) -> Result:
    row = waiting_row(state, view)
    if row is None:
        return replace(state, notice=Notice("nothing to take note of: nothing waits")), ()
    if row["kind"] == "question":
        return replace(state, notice=Notice("a question wants an answer: m", "warn")), ()
    if row["kind"] == "approval":
        return replace(state, notice=Notice("a task wants an answer: y or d", "warn")), ()
    return replace(state, notice=Notice("taking note …")), (Effect("ack", {"seq": row["seq"]}),)


def _type(state: State, inbox: Inbox, key: Key, view: View) -> Result:
    assert inbox.answer is not None
    if key.name == "esc":
        return replace(state, inbox=replace(inbox, answer=None)), ()
    if key.name == "enter":
        return _send(state, inbox, view)
    edited = editor.edit(inbox.answer, key, lines=True)
    return state if edited is None else replace(state, inbox=replace(inbox, answer=edited)), ()


def _send(state: State, inbox: Inbox, view: View) -> Result:
    assert inbox.answer is not None
    row = waiting_row(state, view)
    text = inbox.answer.text.strip()
    closed = replace(state, inbox=replace(inbox, answer=None))
    if row is None:
        return replace(closed, notice=_GONE), ()
    if row["kind"] == "question" and (text or row["default"] is not None):
        args = {"id": row["workflow_id"], "question": row["question"], "text": text}
        return replace(closed, notice=Notice("answering …")), (Effect("reply", args),)
    if not text and inbox.verb != "approve":
        notice = Notice("say why, in a word or two" if inbox.verb == "deny" else "say something")
        return replace(state, notice=notice), ()
    if inbox.verb == "answer":
        args = {"id": row["workflow_id"], "text": text, "to": "coordinator"}
        return replace(closed, notice=Notice("sending …")), (Effect("send", args),)
    args = {"verb": inbox.verb, "id": row["workflow_id"], "task": row["task"], "text": text}
    return replace(closed, notice=Notice(f"{inbox.verb} {row['task']} …")), (Effect("judge", args),)
