"""Looking for a text in all of a transcript, a slice at a time: done in a worker's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.held_reads import errors_of, opened, search
from perles.dashboard.reading.detail import Record, event, said
from perles.domain.patterns import lazy_pattern

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection, Row

SLICE_SECONDS: Final = 0.25
"""How long one request looks before it tells how far it has come."""
AROUND: Final = 100
"""Events after the one that was found which are shown with it."""
AROUND_BYTES: Final = 512 * 1024
_PIECE: Final = 250
_MARKS: Final = lazy_pattern(r"\*\*|`|\s+")
_WORD: Final = lazy_pattern("[A-Za-z0-9]+")


def holds(record: Record, wanted: str) -> bool:
    """Whether a record tells this text, however it is wrapped, marked up or folded."""
    if record.kind == "session":
        return False  # never shown
    head = "turn " if record.kind == "turn" else ""
    told = f"{record.who} {record.note} {head}{record.text}"
    return longest_word(wanted).lower() in told.lower() and plain(wanted) in plain(told)


def longest_word(text: str) -> str:
    """The longest run of ASCII letters and digits: as it is, it stands in whatever tells the text.

    Stored text has it too, for JSON escapes none of these. Only what holds it needs a closer look.
    """
    return max(_WORD.findall(text), key=len, default="")


def plain(text: str) -> str:
    """A text in small letters, one blank between words, without the marks of Markdown."""
    return _MARKS.sub(lambda mark: " " if mark[0].isspace() else "", text).lower().strip()


def find(path: Path, args: Mapping[str, Any]) -> dict[str, Any]:
    """Look on from `at` for a while: the seq of a `hit`, or where to go on, or neither.

    With `until`, up to which events are to be shown so that the hit is in sight, and
    the `share` of all that has been looked at. No text finds the very next event.
    """
    with opened(path) as connection, errors_of(path):
        if connection is None:
            return {"hit": None, "at": None, "share": 1.0}
        return _Walk(connection, args).slice()


class _Walk:
    def __init__(self, connection: Connection, args: Mapping[str, Any]) -> None:
        self._connection = connection
        self._id = str(args["id"])
        self._agent: str | None = None if args["tab"] == "events" else str(args["tab"])
        self._text, self._step = str(args["text"]), int(args["step"])
        self._at, self._first = int(args["at"]), int(args["first"])
        self._word = longest_word(self._text)

    def slice(self) -> dict[str, Any]:
        ends = time.monotonic() + SLICE_SECONDS
        at = self._at
        while True:
            edge = search.edge(self._connection, self._id, at, _PIECE, self._step)
            if edge is None:
                return {"hit": None, "at": None, "share": 1.0}
            between = (edge, at - 1) if self._step > 0 else (at + 1, edge)
            hit = self._look(between)
            if hit is not None:
                return {"hit": hit, "until": self._until(hit), "at": None, "share": 1.0}
            at = edge
            if time.monotonic() >= ends:
                return {"hit": None, "at": at, "share": self._share(at)}

    def _look(self, between: tuple[int, int]) -> int | None:
        rows = search.piece(
            self._connection, self._id, self._agent, between, self._word, self._step
        )
        record: Callable[[Row], Record] = event if self._agent is None else self._said
        for row in rows:
            if holds(record(row), self._text):
                return int(row["seq"])
        return None

    def _said(self, row: Row) -> Record:
        return said(dict(row), str(self._agent))

    def _until(self, hit: int) -> int | None:
        return search.around(self._connection, self._id, self._agent, hit, AROUND, AROUND_BYTES)

    def _share(self, at: int) -> float:
        ends = search.ends(self._connection, self._id)
        whole = abs(self._first - ends[0 if self._step > 0 else 1])
        return min(1.0, abs(self._first - at) / max(1, whole))
