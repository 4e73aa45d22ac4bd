"""Noticing that another process committed to the database of a server.

Each commit of ours rings (NOTIFY), and the snapshot of the server, which changes with each
transaction that ends, tells for certain: it is looked at every quarter of a second besides.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg

from perles.store.postgres import sessions
from perles.store.sqlite.watch import QUIET, Watch


class ServerWatch(Watch):
    """Watches by a session of its own, which listens. It goes on by looking where that is cut.

    After a ring the server is not asked whether there is news: that would be a round trip more.
    """

    looks = (0.0,)
    """Who rings has committed; and each look asks the server."""

    def __init__(self, connection: Any, *, quiet: float) -> None:
        self._reader = connection
        self._seen: str | None = None
        self._has_rung = False
        self._quiet = min(quiet, QUIET)
        self._session = sessions.connect(connection.address, application="perles watch")
        self._session.execute("LISTEN perles")

    @property
    def fd(self) -> int | None:
        """Readable when the bell rang; None where the session was cut."""
        raw = self._session.raw
        return None if raw.closed else raw.fileno()

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def hear(self) -> None:
        """Take in what rang."""
        raw = self._session.raw
        try:
            raw.pgconn.consume_input()
            while raw.pgconn.notifies() is not None:
                self._has_rung = True
        except psycopg.Error:
            raw.close()  # looking goes on

    def patience(self) -> float:
        """Seconds until the next look is due, unless `fd` is readable before."""
        return self._quiet

    def changed(self) -> bool:
        """Whether others committed since this was asked last. Raises the driver's errors."""
        self.hear()
        if self._has_rung:
            self._has_rung, self._seen = False, None
            return True
        snapshot = self._reader.execute("SELECT pg_current_snapshot()::text").fetchone()[0]
        if snapshot == self._seen:
            return False
        self._seen = snapshot
        return True

    def wait(self) -> None:
        """Sleep until a look is worth while."""
        fd = self.fd
        if fd is None:
            time.sleep(self._quiet)
        elif select.select([fd], [], [], self._quiet)[0]:
            self.hear()
