"""Looking beyond what is read of a transcript: begun here, done by a worker, taken up here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model.state import (
    FIRST,
    Anchor,
    Detail,
    Effect,
    Notice,
    Place,
    Result,
    Seek,
    State,
)


def begin(state: State, detail: Detail, seek: Seek) -> Result:
    """The state that looks for something, and the first request."""
    detail = replace(detail, seek=seek)
    return replace(state, detail=detail), (_request(detail, seek),)


def cancel(state: State, detail: Detail) -> State:
    """No longer looking; what is under way meanwhile is not taken up."""
    seek = detail.seek
    assert seek is not None
    notice = Notice(f"ended the search for {seek.text} after {seek.share:.0%}")
    return replace(state, detail=replace(detail, seek=None), notice=notice)


def take(state: State, answer: Answer) -> Result:
    """The state after a slice of the search: at what was found, or looking on."""
    detail, asked = state.detail, answer.args
    seek = None if detail is None else detail.seek
    if detail is None or seek is None or _of(detail, seek) != {key: asked[key] for key in _ASKED}:
        return state, ()  # it was ended, or another one has begun
    over = replace(detail, seek=None)
    if answer.error is not None:
        return replace(state, detail=over, notice=Notice(answer.error, "bad")), ()
    found: Mapping[str, Any] = answer.value
    if found["hit"] is not None:
        return replace(state, detail=_at(over, seek, found["hit"], found["until"])), ()
    if found["at"] is not None:
        return begin(state, detail, seek._replace(at=found["at"], share=found["share"]))
    if not seek.text:
        return replace(state, detail=replace(over, until=None, slid=False)), ()
    where = "above" if seek.step > 0 else "below"
    notice = Notice(f"no match {where}, up to the {_END[seek.step]}: {seek.text}")
    return replace(state, detail=over, notice=notice), ()


_END = {1: "beginning", -1: "end"}
_ASKED = ("id", "tab", "text", "step", "at")


def _of(detail: Detail, seek: Seek) -> dict[str, Any]:
    told = {"text": seek.text, "step": seek.step, "at": seek.at}
    return {"id": detail.workflow_id, "tab": detail.tab, **told}


def _request(detail: Detail, seek: Seek) -> Effect:
    return Effect("find", {**_of(detail, seek), "first": seek.first})


def _at(detail: Detail, seek: Seek, hit: int, until: int | None) -> Detail:
    """The part of the transcript around what was found."""
    line = None if seek.text else 0
    found = Place(hit, 0) if seek.text else detail.found
    anchor = Anchor(hit, line, seek.row)
    shown = replace(detail, limit=FIRST, until=until, slid=until is not None)
    return replace(shown, up=max(1, detail.up), found=found, anchor=anchor)
