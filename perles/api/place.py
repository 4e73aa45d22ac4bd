"""Where a subscriber stands: from now, after a seq, or where its durable cursor is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perles.api.event import ControlPlaneEvent
from perles.domain.errors import UsageError
from perles.store.events.bus import checked_cursor
from perles.store.events.reads import last_seq
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from pathlib import Path

    from perles.store.events.reads import EventFilter
    from perles.store.transaction import Tx

Write = Callable[[Callable[["Tx"], Any]], Any]


class Place:
    """A subscriber's place in the journal, durable where it has a cursor.

    Raises `UsageError` for a seq or a cursor that cannot be.
    """

    def __init__(
        self,
        path: Path,
        write: Write,
        wanted: EventFilter,
        *,
        since: int | None,
        cursor: str | None,
        autocommit: bool,
    ) -> None:
        if since is not None and (isinstance(since, bool) or not isinstance(since, int)):
            raise UsageError(f"cannot begin after since={since!r}: it is the seq of an event")
        self.path = path
        self.wanted = wanted
        self.cursor = None if cursor is None else checked_cursor(cursor)
        self._write = write
        self._since = since
        self._autocommit = autocommit
        self._handed_out: int | None = None
        if cursor is None and since is None:
            with reading(path) as connection:
                self._since = last_seq(connection)

    def start(self) -> int:
        """The seq after which it begins; a new cursor is made here."""
        if self.cursor is None:
            assert self._since is not None
            return self._since
        from perles.store.events import cursors

        name = self.cursor
        return int(self._write(lambda tx: cursors.begin(tx, name, self._since)))

    def hand_out(self, event: dict[str, Any]) -> ControlPlaneEvent:
        """This event is being handled from now on."""
        self._handed_out = event["seq"]
        return ControlPlaneEvent(event)

    @property
    def is_due(self) -> bool:
        """Whether `settle` has something to write."""
        return self._autocommit and self.cursor is not None and self._handed_out is not None

    def settle(self) -> None:
        """What was handed out is handled, unless only `commit` says so."""
        if self.is_due:
            self.commit()

    def commit(self) -> None:
        """What was handed out is handled. Raises `UsageError` without a cursor."""
        if self.cursor is None:
            raise UsageError("cannot commit: this subscription has no cursor; subscribe with one")
        seq, self._handed_out = self._handed_out, None
        if seq is not None:
            from perles.store.events import cursors

            name = self.cursor
            self._write(lambda tx: cursors.move(tx, name, seq))
