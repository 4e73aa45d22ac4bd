"""Which columns the table of workflows has room for."""

from __future__ import annotations

from typing import Final

_WORDS: Final = 144
"""From this width on, a row tells what was said in it last."""


def shows_words(columns: int) -> bool:
    """Whether the table has a column for what agents said last."""
    return columns >= _WORDS
