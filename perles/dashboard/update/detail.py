"""Keys of one workflow's inside: tabs, scrolling, searching, writing to agents."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.frames.detail import tab_at
from perles.dashboard.model import editor
from perles.dashboard.model import slash as model_slash
from perles.dashboard.model.names import is_channel
from perles.dashboard.model.state import (
    FIRST,
    HISTORY,
    MOST_AT_ONCE,
    Detail,
    Effect,
    Inside,
    Notice,
    Result,
    Seek,
    State,
    View,
    oldest,
    scrolled,
    tabs_of,
)
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update import channels, copy, diff, search, slash, tasks, verbs
from perles.dashboard.update.shared import unknown
from perles.dashboard.update.table import next_attention, open_detail


def press(state: State, key: Key, view: View) -> Result:
    """The state after a key on the inside of a workflow."""
    state, first = channels.looked_at(state, view)
    if state.detail is None:
        return replace(state, screen="table"), first
    state, effects = _press(state, state.detail, key, view)
    return state, (*first, *effects)


def _press(state: State, detail: Detail, key: Key, view: View) -> Result:
    if detail.typing:
        return _write(state, detail, key, view)
    if detail.searching:
        return _search(state, detail, key)
    if key.name == "esc" and detail.seek is not None and detail.seek.text:
        return search.cancel(state, detail), ()
    chosen = tasks.press(detail, key.name, view)
    if chosen is not None:
        return replace(state, detail=chosen), ()
    if key.name == "esc":
        return leave(state, detail), ()
    acted = verbs.by_key(state, key.name, view)
    if acted is not None:
        return acted
    if key.name in ("m", "enter"):
        return _address(state, detail, _whom(detail, view), along=False), ()
    if key.name == "D":
        return diff.begin(state, detail.workflow_id)
    if key.name == "y":
        return copy.said(state, detail, view)
    if key.name == "t":
        return state, (Effect("unfold"),)
    if key.name == "click":
        return _click(state, detail, key, view), ()
    if key.name == "!":
        return _next_attention(state, detail, view)
    if key.name in ("/", "n", "N"):
        return _look(state, detail, key.name)
    beyond = _beyond(detail, key, view)
    if beyond is not None:
        return search.begin(state, detail, beyond)
    changed = channels.press(detail, key.name)
    changed = changed or _tab(detail, key, view) or _scroll(detail, key, view)
    if changed is not None:
        return replace(state, detail=changed), ()
    return unknown(state, key), ()


def leave(state: State, detail: Detail) -> State:
    """Back to the table; an unsent text is kept for the next time."""
    return replace(_kept(state, detail), screen="table", detail=None)


def _kept(state: State, detail: Detail) -> State:
    """The state that has the unsent text for when it is written to that agent again."""
    drafts = {**state.drafts, (detail.workflow_id, detail.to): detail.input.text}
    return replace(state, drafts=drafts)


def _address(state: State, detail: Detail, to: str, *, along: bool) -> State:
    """Writing to another agent: with what was begun for it, else with the text where it goes along.

    What was begun for the one before is kept for it.
    """
    begun = state.drafts.get((detail.workflow_id, to), "")
    if to != detail.to and (begun or not along):
        state = _kept(state, detail)
        detail = replace(detail, input=editor.of(begun))
    return replace(state, detail=replace(detail, to=to, typing=True))


def _next_attention(state: State, detail: Detail, view: View) -> Result:
    """The inside of the next workflow that wants attention."""
    moved = next_attention(leave(state, detail), view)
    if moved.notice.text or not view.ids:
        return replace(state, notice=moved.notice), ()
    chosen = view.ids[moved.table.cursor]
    if chosen == detail.workflow_id:
        return replace(state, notice=Notice("nothing else needs you")), ()
    return open_detail(moved, chosen)


def _whom(detail: Detail, view: View) -> str:
    if detail.tab == channels.TAB:
        return f"#{detail.channel}"
    names = [agent["name"] for agent in view.inside.agents] if view.inside else []
    return detail.tab if detail.tab in names else detail.to


def _tab(detail: Detail, key: Key, view: View) -> Detail | None:
    tabs = tabs_of(view)
    at = tabs.index(detail.tab) if detail.tab in tabs else 0
    step = {"tab": 1, "l": 1, "right": 1, "shift-tab": -1, "h": -1, "left": -1}.get(key.name)
    if step is not None:
        at = (at + step) % len(tabs)
    elif len(key.name) == 1 and key.name in "123456789" and int(key.name) <= len(tabs):
        at = int(key.name) - 1
    else:
        return None
    return opened(detail, tabs[at])


def opened(detail: Detail, tab: str) -> Detail:
    """The detail with another tab, at its end."""
    fresh = replace(detail, slid=False, seek=None, found=None, anchor=None)
    return replace(fresh, tab=tab, opened=False, up=0, until=None, limit=FIRST)


def _click(state: State, detail: Detail, key: Key, view: View) -> State:
    tab = tab_at(detail, view, key.x, key.y)
    return state if tab is None else replace(state, detail=opened(detail, tab))


def _scroll(detail: Detail, key: Key, view: View) -> Detail | None:
    up = _wanted(detail, key, view)
    if up is None:
        return None
    moved = replace(detail, found=None, anchor=None)
    if key.name in ("G", "end"):
        return scrolled(replace(moved, slid=False, seek=None, limit=FIRST), 0, view.inside)
    return scrolled(moved, up, view.inside)


def _wanted(detail: Detail, key: Key, view: View) -> int | None:
    """How far above the end a key scrolls; None for one that does not."""
    page = max(1, view.size[1] - 8)
    ways = {"k": 1, "up": 1, "j": -1, "down": -1, "pageup": page, "pagedown": -page}
    ways |= {"wheel-up": 3, "wheel-down": -3, "ctrl-u": page // 2, "ctrl-d": -(page // 2)}
    if key.name in ways:
        return detail.up + ways[key.name]
    return {"g": 10**9, "home": 10**9, "G": 0, "end": 0}.get(key.name)


def _beyond(detail: Detail, key: Key, view: View) -> Seek | None:
    """What to look for where a key scrolls beyond what is read of the journal."""
    up, first = _wanted(detail, key, view), oldest(detail, view.inside)
    if up is None or first is None or detail.seek is not None or key.name in ("G", "end"):
        return None
    assert view.inside is not None
    if key.name in ("g", "home"):
        return Seek("", -1, 0, 0, row="top") if view.inside.more else None
    if up > detail.up and detail.at_top and view.inside.more and _full(detail, view.inside):
        return Seek("", 1, first, first, row="top")
    if up < 0 and detail.slid and detail.until is not None:
        row = "top" if key.name == "pagedown" else "bottom"
        return Seek("", -1, detail.until, detail.until, row=row)
    return None


def _full(detail: Detail, inside: Inside) -> bool:
    """Whether no more is read at once than is read now."""
    return inside.body[0].kind == "more" or detail.limit >= MOST_AT_ONCE


def _look(state: State, detail: Detail, name: str) -> Result:
    if name == "/":
        return replace(state, detail=replace(detail, searching=True)), ()
    if not detail.search.text:
        return replace(state, notice=Notice("nothing is searched; / begins")), ()
    return state, (Effect("match", {"step": 1 if name == "n" else -1}),)


def _search(state: State, detail: Detail, key: Key) -> Result:
    if key.name in ("enter", "esc"):
        kept = detail.search if key.name == "enter" else editor.Editor()
        state = replace(state, detail=replace(detail, searching=False, search=kept))
        return state, (Effect("match", {"step": 1}),) if kept.text else ()
    edited = editor.edit(detail.search, key)
    if edited is None:
        return state, ()
    changed = replace(detail, search=edited, seek=None, found=None)
    return replace(state, detail=changed), ()


def _write(state: State, detail: Detail, key: Key, view: View) -> Result:
    if key.name == "esc":
        return replace(state, detail=replace(detail, typing=False)), ()
    if key.name == "enter":
        return _send(state, detail, view)
    if key.name == "tab" and model_slash.fitting(detail.input.text):
        text = model_slash.completed(detail.input.text) or detail.input.text
        return replace(state, detail=replace(detail, input=editor.of(text))), ()
    if is_channel(detail.to) and key.name in ("tab", "shift-tab"):
        return _other_channel(state, detail, key, view), ()
    if key.name in ("tab", "shift-tab"):
        agents = view.inside.agents if view.inside else ()
        names = [agent["name"] for agent in agents if agent["status"] != "retired"]
        if not names:
            return replace(state, notice=Notice("there is no agent yet")), ()
        at = names.index(detail.to) if detail.to in names else -1
        to = names[(at + (1 if key.name == "tab" else -1)) % len(names)]
        return _address(state, detail, to, along=True), ()
    scrolled = key.name in ("pageup", "pagedown", "wheel-up", "wheel-down")
    if scrolled:
        return replace(state, detail=_scroll(detail, key, view) or detail), ()
    edited = editor.edit(detail.input, key, lines=True)
    if edited is not None:
        notice = Notice("too long: the rest was cut", "warn") if edited.full else state.notice
        return replace(state, detail=replace(detail, input=edited), notice=notice), ()
    if key.name in ("up", "down"):
        return replace(state, detail=_recall(state, detail, 1 if key.name == "up" else -1)), ()
    return state, ()


def _other_channel(state: State, detail: Detail, key: Key, view: View) -> State:
    """A name that is begun is completed; else the text goes to another channel, which is shown."""
    completed = channels.completed(detail, view) if key.name == "tab" else None
    if completed is not None:
        return replace(state, detail=completed)
    to = channels.next_channel(detail, 1 if key.name == "tab" else -1)
    if detail.tab == channels.TAB:
        detail = channels.showing(detail, to[1:])
    return _address(state, detail, to, along=True)


def _recall(state: State, detail: Detail, step: int) -> Detail:
    place = max(0, min(len(state.history), detail.recalled + step))
    text = "" if place == 0 else state.history[-place]
    return replace(detail, recalled=place, input=editor.of(text))


def _send(state: State, detail: Detail, view: View) -> Result:
    text = detail.input.text.strip()
    if not text:
        return replace(state, notice=Notice("nothing to send yet")), ()
    history = (*state.history, text)[-HISTORY:]
    cleared = replace(detail, input=editor.Editor(), recalled=0)
    if detail.to in (detail.tab, f"#{detail.channel}"):  # what is sent is to be seen
        cleared = scrolled(replace(cleared, slid=False, limit=FIRST), 0, view.inside)
    sent = replace(state, history=history, detail=cleared)
    ordered = slash.order(sent, text, view)
    if ordered is not None:
        return ordered
    if is_channel(detail.to):
        return channels.send(sent, detail, text)
    effect = Effect("send", {"id": detail.workflow_id, "text": text, "to": detail.to})
    return replace(sent, notice=Notice(f"sending to {detail.to} …")), (effect,)
