"""Where a search's matches stand, and how a tab is scrolled so that one is in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from perles.dashboard.frames.body import Span, is_read, spans
from perles.dashboard.model.state import Detail, Place, View, scrolled
from perles.dashboard.reading.search import holds
from perles.dashboard.terminal.segments import Line, Segment


def settled(detail: Detail, view: View, columns: int, height: int) -> Detail:
    """The detail scrolled to its anchor, where it has one and that is read by now."""
    anchor, inside = detail.anchor, view.inside
    if anchor is None or inside is None or not is_read(detail, inside):
        return detail
    drawn = spans(detail, view, inside, columns)
    span = _of(drawn, anchor.key)
    if span is None:
        return detail
    found = detail.found
    line = anchor.line
    if line is None:
        line = next((place.line for _, place in matches_in([span], detail.search.text)), 0)
        found = Place(span.key, line)
    line = min(line, max(0, len(span.lines) - 1))
    total = line_count(drawn)
    row = {"top": 0, "middle": height // 2}.get(anchor.row, max(0, height - 2))
    up = max(0, min(total - height - (span.first + line - row), total - height))
    return scrolled(replace(detail, anchor=None, found=found), up, inside)


def marked(detail: Detail, view: View, columns: int, start: int, shown: list[Line]) -> list[Line]:
    """The lines in sight, those with what is searched marked, the match one is at most of all."""
    wanted = detail.search.text.lower()
    if not wanted:
        return shown
    at = -1
    if detail.found is not None and view.inside is not None:
        at = search_line(detail, spans(detail, view, view.inside, columns), 0)
    return [mark(given, wanted, start + i == at) for i, given in enumerate(shown)]


def mark(given: Line, wanted: str, here: bool) -> Line:
    """The line with what is searched marked in it; all of it where a match is folded away."""
    text = _text(given)
    if wanted not in text:
        return tuple(Segment(part, "reverse") for part, _ in given) if here else given
    if len(text) != sum(len(part) for part, _ in given):
        return tuple(Segment(part, "reverse") for part, _ in given)  # small letters are more
    found: list[Segment] = []
    spots = _spots(text, wanted)
    at = 0
    for part, style in given:
        cuts = sorted({0, len(part), *(c - at for spot in spots for c in spot)})
        for start, end in pairwise(cut for cut in cuts if 0 <= cut <= len(part)):
            hit = any(first <= at + start < last for first, last in spots)
            marked = ("reverse" if here else f"{style}|sel") if hit else style
            found.append(Segment(part[start:end], marked))
        at += len(part)
    return tuple(found)


def _spots(text: str, wanted: str) -> list[tuple[int, int]]:
    """Where a text stands in a line, from and to."""
    found, at = [], text.find(wanted)
    while at >= 0:
        found.append((at, at + len(wanted)))
        at = text.find(wanted, at + len(wanted))
    return found


def _text(given: Line) -> str:
    return "".join(segment.text for segment in given).lower()


def matches_in(drawn: Sequence[Span], text: str) -> Iterator[tuple[int, Place]]:
    """The lines that have a text; of a record that tells it in none of its lines, the first."""
    wanted = text.lower()
    for span in drawn if wanted else ():
        lines = [i for i, given in enumerate(span.lines) if wanted in _text(given)]
        if not lines and span.lines and span.record is not None and holds(span.record, text):
            lines = [0]
        for line in lines:
            yield span.first + line, Place(span.key, line)


def search_line(detail: Detail, drawn: Sequence[Span], step: int) -> int:
    """The line that a search goes on from: the match one is at, or the last in sight."""
    total = line_count(drawn)
    if detail.found is not None:
        span = _of(drawn, detail.found.key)
        return total if span is None else span.first + detail.found.line
    return total - detail.up - (0 if step > 0 else 1)


def _of(drawn: Sequence[Span], key: int) -> Span | None:
    """The record of a key; texts that are drawn as one have the key of the first of them."""
    return next((span for span in reversed(drawn) if 0 < span.key <= key or span.key == key), None)


def line_count(drawn: Sequence[Span]) -> int:
    """How many lines are drawn."""
    return drawn[-1].first + len(drawn[-1].lines) if drawn else 0
