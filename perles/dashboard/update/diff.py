"""Keys of the diff: lines, hunks, files, searching, and comments that go to an agent."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.frames.diff import FIRST_ROW, body_height, rows_of
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model import diff as model
from perles.dashboard.model import editor
from perles.dashboard.model.diff import Comment, Diff
from perles.dashboard.model.state import Effect, Notice, Result, State, View
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.shared import unknown

_SIDEWAYS = 8
_ENDED = ("completed", "failed", "stopped")


def begin(state: State, workflow_id: str | None) -> Result:
    """Show what a workflow changed."""
    if workflow_id is None:
        return replace(state, notice=Notice("no diff: no workflow is selected")), ()
    diff = Diff(workflow_id, back=state.screen)
    return replace(state, screen="diff", diff=diff), (Effect("diff", {"id": workflow_id}),)


def take(state: State, answer: Answer) -> Result:
    """The state with what was read."""
    diff = state.diff
    if diff is None or diff.workflow_id != answer.args["id"]:
        return state, ()  # it was left meanwhile
    if answer.error is not None:
        return replace(state, diff=replace(diff, error=answer.error, rows=diff.rows or ())), ()
    return replace(state, diff=model.taken(diff, answer.value), notice=Notice("")), ()


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key on the diff."""
    diff = state.diff
    if diff is None:
        return replace(state, screen="table"), ()
    if diff.comment is not None:
        return _write(state, diff, key)
    if diff.searching:
        return _search(state, diff, key), ()
    if key.name in ("esc", "D"):
        screen = diff.back if diff.back != "detail" or state.detail is not None else "table"
        return replace(state, screen=screen, diff=None), ()
    if key.name == "R":
        asked = (Effect("diff", {"id": diff.workflow_id}),)
        return replace(state, notice=Notice("reading it again …")), asked
    if key.name in ("c", "m", "enter"):
        return _begin_comment(state, diff), ()
    if key.name == "/":
        return replace(state, diff=replace(diff, searching=True)), ()
    if key.name in ("n", "N"):
        return _match(state, diff, 1 if key.name == "n" else -1), ()
    moved = _moved(diff, key, view)
    if moved is not None:
        return replace(state, diff=moved), ()
    return unknown(state, key), ()


def _moved(diff: Diff, key: Key, view: View) -> Diff | None:
    last = len(diff.rows or ()) - 1
    page = max(1, body_height(diff, view) - 1)
    at = diff.cursor
    places = {"j": at + 1, "down": at + 1, "k": at - 1, "up": at - 1, "g": 0, "home": 0}
    places |= {"G": last, "end": last, "pagedown": at + page, " ": at + page, "pageup": at - page}
    places |= {"ctrl-d": at + page // 2, "ctrl-u": at - page // 2}
    places |= {"wheel-down": at + 3, "wheel-up": at - 3}
    if key.name in places:
        return replace(diff, cursor=max(0, min(last, places[key.name])))
    jumps = {"tab": ("file", 1), "shift-tab": ("file", -1), "]": ("hunk", 1), "[": ("hunk", -1)}
    if key.name in jumps:
        return _jumped(diff, *jumps[key.name])
    sideways = {"l": _SIDEWAYS, "right": _SIDEWAYS, "h": -_SIDEWAYS, "left": -_SIDEWAYS}
    if key.name in sideways:
        return replace(diff, left=max(0, diff.left + sideways[key.name]))
    if key.name == "click":
        return _clicked(diff, key, view)
    return None


def _jumped(diff: Diff, kind: str, step: int) -> Diff:
    """On the next file or hunk; it stands at the top then."""
    rows = diff.rows or ()
    at = diff.cursor + step
    while 0 <= at < len(rows):
        if rows[at].kind == kind:
            return replace(diff, cursor=at, top=at)
        at += step
    return diff


def _clicked(diff: Diff, key: Key, view: View) -> Diff:
    place = key.y - FIRST_ROW
    if not 0 <= place < body_height(diff, view):
        return diff
    at = diff.top
    while at < len(diff.rows or ()):
        place -= rows_of(diff, at)
        if place < 0:
            return replace(diff, cursor=at)
        at += 1
    return diff


def _search(state: State, diff: Diff, key: Key) -> State:
    if key.name in ("enter", "esc"):
        kept = diff.search if key.name == "enter" else editor.Editor()
        state = replace(state, diff=replace(diff, searching=False, search=kept))
        return _match(state, replace(diff, searching=False, search=kept), 1) if kept.text else state
    edited = editor.edit(diff.search, key)
    return state if edited is None else replace(state, diff=replace(diff, search=edited))


def _match(state: State, diff: Diff, step: int) -> State:
    """On the next line that has what is searched; behind the last one comes the first."""
    wanted = diff.search.text.lower()
    if not wanted:
        return replace(state, notice=Notice("nothing is searched; / begins"))
    rows = diff.rows or ()
    for distance in range(1, len(rows) + 1):
        at = (diff.cursor + step * distance) % len(rows)
        if wanted in rows[at].text.lower():
            return replace(state, diff=replace(diff, cursor=at))
    return replace(state, diff=diff, notice=Notice(f"no line has {diff.search.text}"))


def _begin_comment(state: State, diff: Diff) -> State:
    if diff.selected is None:
        return replace(state, notice=Notice("nothing to write about: there are no changes"))
    ended = diff.about.get("state")
    if ended in _ENDED:
        said = f"it is {ended}: no agent reads comments any more; r retries one that failed"
        return replace(state, notice=Notice(said, "warn"))
    if not diff.to:
        return replace(state, notice=Notice("there is no agent yet", "warn"))
    return replace(state, diff=replace(diff, comment=editor.Editor()))


def _write(state: State, diff: Diff, key: Key) -> Result:
    assert diff.comment is not None
    if key.name == "esc":
        return replace(state, diff=replace(diff, comment=None)), ()
    if key.name == "enter":
        return _send(state, diff, diff.comment.text.strip())
    if key.name in ("tab", "shift-tab"):
        agents = list(diff.about.get("agents", ()))
        at = agents.index(diff.to) if diff.to in agents else 0
        to = agents[(at + (1 if key.name == "tab" else -1)) % len(agents)]
        return replace(state, diff=replace(diff, to=to)), ()
    edited = editor.edit(diff.comment, key, lines=True)
    return state if edited is None else replace(state, diff=replace(diff, comment=edited)), ()


def _send(state: State, diff: Diff, text: str) -> Result:
    if not text:
        return replace(state, notice=Notice("say something about this line, or Esc")), ()
    args = {"id": diff.workflow_id, "text": model.message(diff, text), "to": diff.to}
    kept = (*diff.comments, Comment(diff.cursor, diff.to, text))
    sent = replace(diff, comment=None, comments=kept)
    notice = Notice(f"sending to {diff.to} …")
    return replace(state, diff=sent, notice=notice), (Effect("send", args),)
