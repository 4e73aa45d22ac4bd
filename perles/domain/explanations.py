"""Short texts that explain a state to a person: the same words in every command and screen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from perles.domain.duration import span

NO_ENGINE: Final = "no engine runs"
RESTARTED: Final = "the engine died and is being started again"
NEAR: Final = 0.9
"""The share of a quota from which on a person is told."""
_LONGEST: Final = 80
"""Characters of a command that are shown."""
UNHEARD: Final = ("unreachable", "gone")
"""States of a node of which nothing is heard."""


def why(row: Mapping[str, Any]) -> str:
    """Why a workflow stands where it stands, with its place in line where it waits."""
    reason: str = row["reason"] or ""
    if row["queue_place"] is None:
        return reason
    return f"{reason or 'waiting'}, {ordinal(row['queue_place'])} in line"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, …"""
    if number % 100 not in (11, 12, 13):
        return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
    return f"{number}th"


def first_line(text: str) -> str:
    """The first line of a command or a title, cut."""
    first = (text.strip().splitlines() or [""])[0]
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"


def moment(at: str | None) -> str:
    """The time of day of a stored time (UTC), with its date where that is not today."""
    if at is None:
        return "-"
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return at[11:16] if at.startswith(today) else f"{at[:10]} {at[11:16]}"


def advice(trouble: str) -> str:
    """What to do about what keeps an engine from its work."""
    if trouble == NO_ENGINE:
        return "start one: perles serve --detach"
    if trouble == RESTARTED:
        return "perles engine status tells more"
    return "make room there" if trouble.endswith("is full") else "look: perles doctor"


def out_of_reach(node: str, lost_after: float | None) -> str:
    """What is said of a turn whose node is not heard, and what becomes of it."""
    then = "the turn waits for it"
    if lost_after is not None:
        then = f"after {span(lost_after)} the turn counts as lost"
    return f"its node {node} is unreachable ({then})"
