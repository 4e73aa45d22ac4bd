"""Events of an open transaction that are not written yet: many go into the table by one statement.

They are written before the commit, and before any statement that could meet them: one that
names their table, or deletes what they belong to.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

COLUMNS: Final = (
    *("workflow_id", "agent_id", "task_id", "turn_id"),
    *("type", "payload", "created_at"),
)
_INSERT: Final = (
    f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - constants
)
MOST: Final = 1000
"""Events that wait at most: it bounds what a large transaction holds in memory."""
_WRITES: Final = ("insert", "update", "delete")


class Mark(NamedTuple):
    """A place among the events of a transaction."""

    made: int
    written: int


class PendingEvents:
    """The events of one transaction in order, and how many of them are written."""

    __slots__ = ("_rows", "_written")

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._written = 0

    def add(self, row: tuple[Any, ...]) -> int:
        """One more, its values in the order of `COLUMNS`; how many wait now."""
        self._rows.append(row)
        return len(self._rows) - self._written

    def are_waiting(self) -> bool:
        """Whether there are some to write."""
        return len(self._rows) > self._written

    def write(self, connection: Any) -> None:
        """Write the waiting events. Raises the driver's errors; a server's may come with the next
        statement, or with the commit."""
        if self.are_waiting():
            connection.executemany(_INSERT, self._rows[self._written :])
            self._written = len(self._rows)

    def mark(self) -> Mark:
        """Where they stand."""
        return Mark(len(self._rows), self._written)

    def take_back(self, mark: Mark) -> None:
        """Be as at this mark; what was written since is not, or not any more."""
        del self._rows[mark.made :]
        self._written = mark.written


class Nature(NamedTuple):
    """What a statement does."""

    writes: bool
    meets_events: bool
    """It could read events that wait, or delete what they belong to."""


@lru_cache(maxsize=4096)
def nature(text: str) -> Nature:
    """What a statement does, by its words."""
    words = text.lower()
    begins = words.lstrip()[:6]
    writes = begins in _WRITES or (begins != "select" and any(one in words for one in _WRITES))
    return Nature(writes, "events" in words or "delete" in words)
