"""Orders that begin with a slash in the chat; what is not one is a message."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard import actions
from perles.dashboard.model import Notice, Result, State, View

_KEYS: Final = {"/pause": "p", "/resume": "s", "/start": "s", "/stop": "x"}
_ON_AGENTS: Final = ("/stop", "/spawn", "/retire", "/replace")


def fitting(text: str) -> list[str]:
    """The orders that a text may become; none for a text that begins with none."""
    if not text.startswith("/") or any(letter.isspace() for letter in text):
        return []
    return [name for name in (*_KEYS, *_ON_AGENTS[1:]) if name.startswith(text)]


def completed(text: str) -> str | None:
    """The text as far as it can be only one order; None where that is no further than it is."""
    found = fitting(text)
    common = min(found, default="")
    while not all(name.startswith(common) for name in found):
        common = common[:-1]
    return common if len(common) > len(text) else None


def order(state: State, text: str, view: View) -> Result | None:
    """What an order does; None for a text that is none."""
    words = text.split()
    if words[0] in _KEYS and len(words) == 1:
        return actions.press(state, _KEYS[words[0]], view)
    if words[0] in _ON_AGENTS:
        notice = f"cannot {words[0][1:]} one agent from here: ask the coordinator to do it"
        return replace(state, notice=Notice(notice, "warn")), ()
    return None
