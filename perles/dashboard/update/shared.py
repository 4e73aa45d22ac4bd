"""What several screens do with a key."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard.model.state import Notice, State
from perles.dashboard.terminal.keys import Key

_STEPS: Final = {
    **{"j": 1, "down": 1, "wheel-down": 1, "pagedown": 10},
    **{"k": -1, "up": -1, "wheel-up": -1, "pageup": -10},
}


def moved(key: Key, at: int, last: int) -> int | None:
    """Where a key moves the selection of a list to, from `at`; None for one that moves nothing."""
    places = {"g": 0, "home": 0, "G": last, "end": last}
    if key.name in _STEPS:
        return max(0, min(last, at + _STEPS[key.name]))
    return places.get(key.name)


def unknown(state: State, key: Key) -> State:
    """The state after a key that has no meaning: a letter is told so."""
    if len(key.name) != 1:
        return state
    return replace(state, notice=Notice(f"{key.name} does nothing here; ? tells the keys"))
