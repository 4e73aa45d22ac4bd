"""Going from match to match of a search, and unfolding tool calls."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.frames.body import columns_beside, spans
from perles.dashboard.frames.matches import line_count, matches_in, search_line
from perles.dashboard.model.state import (
    MOST,
    Anchor,
    Detail,
    Inside,
    Notice,
    Result,
    Seek,
    State,
    View,
    oldest,
)
from perles.dashboard.update import search


def to_match(state: State, view: View, step: int) -> Result:
    """The next match above (`step` 1) or below; what is not read is searched by a worker."""
    detail, inside = state.detail, view.inside
    if detail is None or inside is None or detail.seek is not None:
        return state, ()
    drawn = spans(detail, view, inside, columns_beside(view.size[0]))
    now = search_line(detail, drawn, step)
    found = [(at, place) for at, place in matches_in(drawn, detail.search.text) if at != now]
    wanted = [one for one in found if (one[0] < now) == (step > 0)]
    if wanted:
        _, place = wanted[-1] if step > 0 else wanted[0]
        moved = replace(detail, found=place, anchor=Anchor(place.key, place.line))
        return replace(state, detail=moved), ()
    seek = _beyond(detail, inside, step)
    if seek is not None:
        return search.begin(state, detail, seek)
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
    at = line_count(drawn) - detail.up - 1
    span = next((span for span in reversed(drawn) if span.first <= at), None)
    if (detail.up or detail.slid) and span is not None:
        turned = replace(turned, anchor=Anchor(span.key, 0))
    said = "tool calls are shown whole" if turned.whole else "tool calls are folded"
    return replace(state, detail=turned, notice=Notice(said))


def _beyond(detail: Detail, inside: Inside, step: int) -> Seek | None:
    """The search to go on with where nothing that is read matches."""
    first = oldest(detail, inside)
    if first is None or (step > 0 and not inside.more):
        return None
    at = first if step > 0 else detail.until
    return None if at is None else Seek(detail.search.text, step, at, at)
