"""Lines of styled segments: what frames are made of, before they become bytes or a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.domain.text import clean, cut, pad, width

MAX_MEASURED: Final = 4000
"""Characters of one text that are looked at: no line of a terminal shows more."""

SHORT: Final = 200
"""Characters of a text that is worth remembering."""


class Segment(NamedTuple):
    """Text in one style: a name of `theme.styles`."""

    text: str
    style: str = ""


Line = tuple[Segment, ...]


class Frame(NamedTuple):
    """A whole screen: its lines, top first, and where the cursor stands, if it is shown."""

    lines: tuple[Line, ...]
    cursor: tuple[int, int] | None = None


@lru_cache(maxsize=8192)
def cell(text: str, columns: int, *, right: bool = False) -> str:
    """Foreign text, cleaned, in exactly `columns` columns."""
    if columns <= 0:
        return ""
    shown = cut(clean(text[:MAX_MEASURED]), columns)
    return " " * (columns - width(shown)) + shown if right else pad(shown, columns)


def line(*parts: Segment | str) -> Line:
    """A line of segments; plain strings have the ordinary style."""
    return tuple(part if isinstance(part, Segment) else Segment(part) for part in parts)


def columns_of(given: Line) -> int:
    """How many columns a line takes."""
    return sum(width(segment.text) for segment in given)


@lru_cache(maxsize=512)
def fit(given: Line, columns: int, *, style: str = "") -> Line:
    """The line, cut or filled to exactly `columns` columns. Most lines of a frame are known."""
    kept: list[Segment] = []
    room = columns
    for segment in given:
        if room <= 0:
            break
        text, taken = _measured(segment.text)
        if taken > room:
            text = cut(text, room)
            taken = width(text)
        if text:
            kept.append(Segment(text, segment.style))
        room -= taken
    if room > 0:
        kept.append(Segment(" " * room, style))
    return tuple(kept)


def _measured(text: str) -> tuple[str, int]:
    """The text cleaned, and its columns."""
    return _known(text) if len(text) < SHORT else _measure(text)


def _measure(text: str) -> tuple[str, int]:
    cleaned = clean(text)
    return cleaned, width(cleaned)


_known = lru_cache(maxsize=4096)(_measure)


def selected(given: Line) -> Line:
    """The line on the background of the selection."""
    return tuple(Segment(text, f"{style}|sel") for text, style in given)


def stack(lines: Sequence[Line], columns: int, rows: int) -> tuple[Line, ...]:
    """Exactly `rows` rows of exactly `columns` columns."""
    shown = [fit(given, columns) for given in lines[:rows]]
    empty = (Segment(" " * columns),) if columns > 0 else ()
    return (*shown, *([empty] * (rows - len(shown))))


def beside(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    """Two blocks of as many rows each, side by side."""
    return [(*a, *b) for a, b in zip(left, right, strict=True)]


def over(
    below: Sequence[Line], box: Sequence[Line], columns: int, *, top: int | None = None
) -> tuple[Line, ...]:
    """The box laid over the middle of the lines; what lies beside it on its rows is blanked."""
    rows = list(below)
    wide = max((columns_of(given) for given in box), default=0)
    left = max(0, (columns - wide) // 2)
    start = max(0, (len(rows) - len(box)) // 2) if top is None else top
    for index, given in enumerate(box[: max(0, len(rows) - start)]):
        rows[start + index] = fit((Segment(" " * left), *given), columns)
    return tuple(rows)


def box(title: str, lines: Iterable[Line], inner: int, *, style: str = "focus") -> list[Line]:
    """A border around lines that are `inner` columns wide, the title in it."""
    name = cut(f" {clean(title)} ", max(0, inner - 1)) if title else ""
    top = "╭─" + name + "─" * max(0, inner - 1 - width(name)) + "╮"
    found = [line(Segment(top, style))]
    for given in lines:
        found.append((Segment("│", style), *fit(given, inner), Segment("│", style)))
    found.append(line(Segment("╰" + "─" * inner + "╯", style)))
    return found


_WORDS: Final = lazy_pattern(r"\S+|\s+")


def wrap(text: str, columns: int) -> list[str]:
    """Text of anybody, cleaned, in lines that fit the width, broken between words."""
    found: list[str] = []
    for paragraph in clean(text, lines=True).split("\n"):
        found += _wrap_one(paragraph, max(1, columns))
    return found


def _wrap_one(paragraph: str, columns: int) -> list[str]:
    found: list[str] = []
    current, used = "", 0
    for word in _WORDS.findall(paragraph):
        size = width(word)
        if used + size > columns and used:
            found.append(current.rstrip())
            current, used = "", 0
            if word.isspace():
                continue
        while size > columns:
            head = _head(word, columns)
            found.append(head)
            word = word[len(head) :]
            size = width(word)
        current += word
        used += size
    return [*found, current.rstrip()] if current.strip() or not found else found


def _head(word: str, columns: int) -> str:
    used = 0
    for index, letter in enumerate(word):
        used += width(letter)
        if used > columns and index:
            return word[:index]
    return word
