"""Where a search's matches stand, and how a tab is scrolled so that one is in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from perles.dashboard import seeking
from perles.dashboard.frames.body import Span, columns_beside, is_read, spans
from perles.dashboard.lines import Line, Segment
from perles.dashboard.model import (
    MOST,
    Anchor,
    Detail,
    Inside,
    Notice,
    Place,
    Result,
    Seek,
    State,
    View,
    oldest,
    scrolled,
)
from perles.dashboard.search import holds


def to_match(state: State, view: View, step: int) -> Result:
    """The next match above (`step` 1) or below; what is not read is searched by a worker."""
    detail, inside = state.detail, view.inside
    if detail is None or inside is None or detail.seek is not None:
        return state, ()
    drawn = spans(detail, view, inside, columns_beside(view.size[0]))
    now = _now(detail, drawn, step)
    found = [(at, place) for at, place in _matches(drawn, detail.search.text) if at != now]
    wanted = [one for one in found if (one[0] < now) == (step > 0)]
    if wanted:
        _, place = wanted[-1] if step > 0 else wanted[0]
        moved = replace(detail, found=place, anchor=Anchor(place.key, place.line))
        return replace(state, detail=moved), ()
    seek = _beyond(detail, inside, step)
    if seek is not None:
        return seeking.begin(state, detail, seek)
    return _none(state, detail, inside, step), ()


def _none(state: State, detail: Detail, inside: Inside, step: int) -> State:
    """No match: of messages, more are read for the next key."""
    where = "above" if step > 0 else "below"
    text = f"no match {where}: {detail.search.text}"
    if detail.tab == "log":
        text = f"no match {where} in the end of each log; perles logs has all: {detail.search.text}"
    if detail.tab == "messages" and step > 0 and inside.more and detail.limit < MOST:
        text = f"no match in the newest {detail.limit}; n looks at more: {detail.search.text}"
        state = replace(state, detail=replace(detail, limit=MOST))
    return replace(state, notice=Notice(text))


def unfolded(state: State, view: View) -> State:
    """Tool calls unfolded, or folded again; what was at the end of the screen stays in sight."""
    detail, inside = state.detail, view.inside
    if detail is None or inside is None:
        return state
    turned = replace(detail, whole=not detail.whole)
    drawn = spans(detail, view, inside, columns_beside(view.size[0]))
    at = _total(drawn) - detail.up - 1
    span = next((span for span in reversed(drawn) if span.first <= at), None)
    if (detail.up or detail.slid) and span is not None:
        turned = replace(turned, anchor=Anchor(span.key, 0))
    said = "tool calls are shown whole" if turned.whole else "tool calls are folded"
    return replace(state, detail=turned, notice=Notice(said))


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
        line = next((place.line for _, place in _matches([span], detail.search.text)), 0)
        found = Place(span.key, line)
    line = min(line, max(0, len(span.lines) - 1))
    total = _total(drawn)
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
        at = _now(detail, spans(detail, view, view.inside, columns), 0)
    return [_mark(given, wanted, start + i == at) for i, given in enumerate(shown)]


def _mark(given: Line, wanted: str, here: bool) -> Line:
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


def _matches(drawn: Sequence[Span], text: str) -> Iterator[tuple[int, Place]]:
    """The lines that have a text; of a record that tells it in none of its lines, the first."""
    wanted = text.lower()
    for span in drawn if wanted else ():
        lines = [i for i, given in enumerate(span.lines) if wanted in _text(given)]
        if not lines and span.lines and span.record is not None and holds(span.record, text):
            lines = [0]
        for line in lines:
            yield span.first + line, Place(span.key, line)


def _now(detail: Detail, drawn: Sequence[Span], step: int) -> int:
    """The line that a search goes on from: the match one is at, or the last in sight."""
    total = _total(drawn)
    if detail.found is not None:
        span = _of(drawn, detail.found.key)
        return total if span is None else span.first + detail.found.line
    return total - detail.up - (0 if step > 0 else 1)


def _of(drawn: Sequence[Span], key: int) -> Span | None:
    """The record of a key; texts that are drawn as one have the key of the first of them."""
    return next((span for span in reversed(drawn) if 0 < span.key <= key or span.key == key), None)


def _total(drawn: Sequence[Span]) -> int:
    return drawn[-1].first + len(drawn[-1].lines) if drawn else 0


def _beyond(detail: Detail, inside: Inside, step: int) -> Seek | None:
    """The search to go on with where nothing that is read matches."""
    first = oldest(detail, inside)
    if first is None or (step > 0 and not inside.more):
        return None
    at = first if step > 0 else detail.until
    return None if at is None else Seek(detail.search.text, step, at, at)
