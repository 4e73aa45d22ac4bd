"""The orders that begin with a slash, and what an unfinished one may become."""

from __future__ import annotations

from typing import Final

KEYS: Final = {"/pause": "p", "/resume": "s", "/start": "s", "/stop": "x"}
ON_AGENTS: Final = ("/stop", "/resume", "/spawn", "/retire", "/replace")


def fitting(text: str) -> list[str]:
    """The orders that a text may become; none for a text that begins with none."""
    if not text.startswith("/") or any(letter.isspace() for letter in text):
        return []
    return [name for name in dict.fromkeys((*KEYS, *ON_AGENTS)) if name.startswith(text)]


def completed(text: str) -> str | None:
    """The text as far as it can be only one order; None where that is no further than it is."""
    found = fitting(text)
    common = min(found, default="")
    while not all(name.startswith(common) for name in found):
        common = common[:-1]
    return common if len(common) > len(text) else None
