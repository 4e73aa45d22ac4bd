"""One thread for a process that notices what others commit to the database of a server.

Each commit of ours rings (NOTIFY), and the snapshot of the server, which changes with each
transaction that ends, tells for certain: it is looked at every quarter of a second besides.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

import psycopg

from perles.store.postgres import sessions
from perles.store.postgres.errors import LostConnectionError
from perles.store.sqlite.watch import QUIET, is_readable

if TYPE_CHECKING:
    from perles.store.postgres.driver import Address, Connection

APPLICATION: Final = "perles watch"
"""The name of its session."""
_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"


class Bell:
    """Readable once it has rung, until it is heard."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        """Have `fd` be readable."""
        os.eventfd_write(self.fd, 1)

    def hear(self) -> bool:
        """Whether it rang since this was asked last."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)


class Lookout:
    """Rings the bells of all watchers of one database, after each commit of others."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._bells: set[Bell] = set()
        self._left = Bell()
        """Rings when the last of them has left."""
        self._has_ended = False
        self.error: Exception | None = None
        """What ended it, such as `DatabaseError`."""
        self._thread = threading.Thread(target=self._run, name="perles-watch", daemon=True)

    def join(self, bell: Bell) -> bool:
        """Ring this one, too, and now; False where this lookout has ended."""
        with self._lock:
            if self._has_ended:
                return False
            self._bells.add(bell)
            bell.ring()
            if not self._thread.is_alive():
                self._thread.start()
        return True

    def leave(self, bell: Bell) -> None:
        """Ring this one no more; without any the lookout ends."""
        with self._lock:
            self._bells.discard(bell)
            if not self._bells and not self._has_ended:
                self._left.ring()

    def _run(self) -> None:
        try:
            while not self._is_left():
                self._listen()
        except Exception as error:  # noqa: BLE001 - told to each who watches, by `error`
            self.error = error
        finally:
            with self._lock:
                self._has_ended = True
                self._left.close()
            self._ring()

    def _is_left(self) -> bool:
        """Whether nobody watches any more; then nobody joins any more, either."""
        with self._lock:
            self._left.hear()
            self._has_ended = not self._bells
            return self._has_ended

    def _listen(self) -> None:
        """Notice commits by one session until it is cut, or nobody watches."""
        with closing(sessions.connect(self._address, application=APPLICATION)) as session:
            try:
                session.script("LISTEN perles")
                seen = _snapshot(session)
                self._ring()  # for what was committed before
                rang = 0
                while not self._is_left():
                    if heard := self._heard(session):
                        rang += heard
                        self._ring()  # without asking: that would be a round trip more
                        continue
                    before, seen = seen, _snapshot(session)
                    late = _rings(session)  # they came with the answer: the line tells no more
                    if late or not _is_told(before, seen, rang + late):
                        self._ring()
                    rang = 0
            except (LostConnectionError, psycopg.Error):
                pass  # the next session begins with a look

    def _heard(self, session: Connection) -> int:
        """How many commits ring, within the time in which nobody looks."""
        line = session.raw.pgconn
        is_readable(line.socket, self._left.fd, seconds=QUIET)
        line.consume_input()
        return _rings(session)

    def _ring(self) -> None:
        with self._lock:
            for bell in self._bells:
                bell.ring()


def _rings(session: Connection) -> int:
    """How many rings were received and not yet counted."""
    counted = 0
    while session.raw.pgconn.notifies() is not None:
        counted += 1
    return counted


def _snapshot(session: Connection) -> str:
    return str(session.script(_SNAPSHOT)[0][0])


def _is_told(before: str, now: str, rang: int) -> bool:
    """Whether no transaction ended between these snapshots but the transactions that rang.

    A snapshot is `xmin:xmax:` and the transactions between the two that are open.
    """
    if before == now:
        return not rang
    first, last = before.split(":"), now.split(":")
    return not (first[2] or last[2]) and int(last[1]) - int(first[1]) == rang


_LOOKOUTS: dict[tuple[int, Address], Lookout] = {}
_LOCK: Final = threading.Lock()


def joined(address: Address, bell: Bell) -> Lookout:
    """The lookout of this database in this process, which rings `bell` from now on."""
    place = (os.getpid(), address)
    with _LOCK:
        found = _LOOKOUTS.get(place)
        if found is None or not found.join(bell):
            found = _LOOKOUTS[place] = Lookout(address)
            found.join(bell)
        return found
