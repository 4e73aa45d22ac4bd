"""Text for a terminal: what agents, files and people wrote is hostile until it was cleaned."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from perles.domain.patterns import lazy_pattern

_CONTROL: Final = lazy_pattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ESCAPE: Final = lazy_pattern(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)
_ESCAPE_IN_LINE: Final = lazy_pattern(_ESCAPE.pattern.replace(r"[^\x07\x1b]", r"[^\x07\x1b\n]"))
"""The same in a text of lines: one that does not end takes no other line with it."""
_LAST_RETURNS: Final = lazy_pattern(r"\r+(?=\n|\Z)")
_WORD: Final = lazy_pattern(r"\s*\S+")
_DRAWN_OVER: Final = lazy_pattern(r"^[^\n]*\r", re.MULTILINE)


def clean(text: str, *, lines: bool = False) -> str:
    """`text` without control codes, escape sequences and direction overrides.

    Line breaks and tabs become blanks, unless `lines` keeps the breaks.
    """
    if text.isprintable():
        return text  # which none of what is taken out is
    text = (_ESCAPE_IN_LINE if lines else _ESCAPE).sub("", text)
    text = text.replace("\r\n", "\n").replace("\t", "    " if lines else " ")
    text = text if lines else text.replace("\n", " ")
    return _CONTROL.sub("", text)


def settled(text: str) -> str:
    """What stands in each line last: a progress bar draws over what was there before it."""
    if "\r" not in text:
        return text
    return _DRAWN_OVER.sub("", _LAST_RETURNS.sub("", text))


def width(text: str) -> int:
    """Columns that a cleaned text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def cut(text: str, limit: int) -> str:
    """`text`, at most `limit` columns of it, with `…` where it was cut."""
    if width(text) <= limit:
        return text
    kept, used = [], 0
    for letter in text:
        used += _columns(letter)
        if used > limit - 1:
            break
        kept.append(letter)
    return "".join(kept) + "…"


def pad(text: str, columns: int) -> str:
    """`text` filled up with blanks."""
    return text + " " * (columns - width(text))


def folded(text: str, columns: int, *, hang: int = 0) -> list[str]:
    """A cleaned line, broken between words into lines of at most `columns` columns.

    What goes on stands `hang` blanks further in than the line. A longer word stays whole.
    """
    words = _WORD.findall(text)
    lead = " " * (len(text) - len(text.lstrip()) + hang)
    lines = [words[0] if words else text]
    for word in words[1:]:
        if width(lines[-1]) + width(word) > columns:
            lines.append(lead + word.lstrip())
        else:
            lines[-1] += word
    return lines


@lru_cache(maxsize=4096)
def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
