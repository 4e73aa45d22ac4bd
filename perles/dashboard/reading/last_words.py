"""What agents of the workflows in sight said last: looked up now and then, where all is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.controlplane.held_reads import dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perles.controlplane.held_reads import Connection

_MOST: int = 2000
"""Workflows whose words are kept."""


class LastWords:
    """Adds to rows what was said there last (`said`)."""

    def __init__(self) -> None:
        self._mark: float | None = None
        self._known: dict[str, tuple[int, str]] = {}

    def add(self, connection: Connection, rows: Mapping[str, dict[str, Any]], mark: float) -> None:
        """Fill the rows in; those known since this mark are not looked up again."""
        fresh = mark != self._mark
        self._mark = mark
        if len(self._known) > _MOST:
            self._known = {}
        for id, row in rows.items():
            if fresh or id not in self._known:
                self._known[id] = self._look(connection, id)
            row["said"] = self._known[id][1]

    def _look(self, connection: Connection, id: str) -> tuple[int, str]:
        """The newest event and the last words; those known stay where none are among the newest."""
        seq, said = self._known.get(id, (0, ""))
        newest = dashboard.newest_event(connection, id)
        if newest == seq:
            return seq, said
        return newest, dashboard.last_words(connection, id) or said
