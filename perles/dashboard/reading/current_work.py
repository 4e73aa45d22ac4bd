"""What the workflows in sight do or wait for, and their place in line: read now and then.

A look at every commit would cost too much; texts carry since when, so that the
screen tells their age anew without another look.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perles.controlplane.held_reads import doings, places, unread_posts, waits_in_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perles.controlplane.held_reads import Connection

Json = dict[str, Any]


class Waits:
    """Adds to rows what they do (`doing`), place in line (`queue_place`), and `unread` posts."""

    def __init__(self) -> None:
        self._mark: float | None = None
        self._known: dict[tuple[str, str, bool], Json] = {}

    def add(self, connection: Connection, rows: Mapping[str, Json], mark: float) -> None:
        """Fill the rows in; those known since this mark are not looked up again."""
        if mark != self._mark:
            self._mark, self._known = mark, {}
        keys = {id: (id, row["state"], waits_in_line(row)) for id, row in rows.items()}
        self._look(connection, [key for key in keys.values() if key not in self._known])
        for id, row in rows.items():
            row.update(self._known[keys[id]])

    def _look(self, connection: Connection, keys: list[tuple[str, str, bool]]) -> None:
        running = [id for id, state, _ in keys if state == "running"]
        doing = doings(connection, running, datetime.now(UTC)) if running else {}
        line = places(connection) if any(waits for *_, waits in keys) else {}
        unread = unread_posts(connection, [key[0] for key in keys])
        for key in keys:
            place = line.get(key[0]) if key[2] else None
            self._known[key] = {
                "doing": tuple(doing.get(key[0], ())),
                "queue_place": place,
                "unread": unread.get(key[0], 0),
            }
