"""Names after an @ that is being written, and what an unfinished one may become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perles.dashboard.model.state import View
from perles.domain.patterns import lazy_pattern

_BEGUN: Final = lazy_pattern(r"(?:^|[^\w.%+@/-])@([\w.-]*)$")


def is_channel(to: str) -> bool:
    """Whether what is written goes to a channel, not to an agent."""
    return to.startswith("#")


def known(view: View) -> list[str]:
    """The names that can be mentioned."""
    agents = view.inside.agents if view.inside else ()
    return [*(str(one["name"]) for one in agents if one["status"] != "retired"), "here"]


def fitting(before: str, names: Sequence[str]) -> list[str]:
    """The names that the word at the end of a text may become; none where it begins with no @."""
    begun = _BEGUN.search(before)
    if begun is None:
        return []
    return [name for name in names if name.startswith(begun[1].lower()) and name != begun[1]]


def completion(before: str, names: Sequence[str]) -> str:
    """What is to be written on: as far as the fitting names agree; a blank after the only one."""
    begun, found = _BEGUN.search(before), fitting(before, names)
    if begun is None or not found:
        return ""
    common = min(found)
    while not all(name.startswith(common) for name in found):
        common = common[:-1]
    rest = common[len(begun[1]) :]
    return f"{rest} " if len(found) == 1 else rest
