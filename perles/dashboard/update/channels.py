"""Keys of the tab of channels: which one is shown, writing to it, answering a post in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from perles.dashboard.model import editor, names
from perles.dashboard.model.state import FIRST, Detail, Effect, Notice, Result, State, View
from perles.domain.channels import POSTABLE
from perles.domain.patterns import lazy_pattern

TAB: Final = "channels"
_ANSWER: Final = lazy_pattern(r">(\d{1,18})\s+(.*)", re.DOTALL)
"""`>12 text` answers post 12."""


def press(detail: Detail, name: str) -> Detail | None:
    """The detail with the next or previous channel; None for other keys, and in other tabs."""
    if detail.tab != TAB or name not in ("c", "C"):
        return None
    return showing(detail, _beside(detail.channel, 1 if name == "c" else -1))


def showing(detail: Detail, channel: str) -> Detail:
    """The detail with that channel, at its end."""
    return replace(detail, channel=channel, up=0, until=None, limit=FIRST)


def next_channel(detail: Detail, step: int) -> str:
    """To whom `Tab` goes on in the field: the channel beside the one that is written to."""
    return f"#{_beside(detail.to[1:], step)}"


def _beside(channel: str, step: int) -> str:
    return POSTABLE[(POSTABLE.index(channel) + step) % len(POSTABLE)]


def completed(detail: Detail, view: View) -> Detail | None:
    """The detail whose text goes on with a name; None where no name is begun."""
    before = detail.input.text[: detail.input.at]
    if not names.fitting(before, names.known(view)):
        return None
    more = names.completion(before, names.known(view))
    return replace(detail, input=editor.insert(detail.input, more, lines=True))


def send(state: State, detail: Detail, text: str) -> Result:
    """Post the text in the channel that is written to, or answer the post that it names."""
    answer = _ANSWER.fullmatch(text)
    args: dict[str, Any] = {
        "id": detail.workflow_id,
        "to": detail.to,
        "text": text,
        "body": text if answer is None else answer[2],
        "reply": None if answer is None else int(answer[1]),
    }
    said = f"posting in {detail.to} …" if answer is None else f"answering post {answer[1]} …"
    return replace(state, notice=Notice(said)), (Effect("post", args),)


def looked_at(state: State, view: View) -> Result:
    """The channel that the screen shows is read up to its end."""
    row = shown(state.detail, view)
    if row is None or not row["unread"] or state.detail is None or state.detail.up:
        return state, ()
    key, last = (state.detail.workflow_id, row["channel"]), row["last_post"]
    if state.read.get(key, 0) >= last:
        return state, ()  # that is told already, and not read back yet
    args = {"id": key[0], "channel": key[1], "up_to": last}
    return replace(state, read={**state.read, key: last}), (Effect("read", args),)


def shown(detail: Detail | None, view: View) -> Mapping[str, Any] | None:
    """The channel that the screen shows; None where it shows none."""
    inside = view.inside
    if detail is None or inside is None or detail.tab != TAB or inside.tab != TAB:
        return None
    if inside.row["id"] != detail.workflow_id:
        return None
    return next((one for one in inside.channels if one["channel"] == detail.channel), None)
