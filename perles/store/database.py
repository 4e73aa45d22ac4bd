"""Connections and transactions: the one door through which the database is written.

Rules of every writing connection: WAL, `synchronous=FULL`, foreign keys on, a
busy timeout, and BEGIN IMMEDIATE for each transaction, so that a read inside it
is never stale when the write comes.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from perles.domain.clock import Clock, SystemClock, to_text
from perles.store import place
from perles.store.place import url_of
from perles.store.reader import Reader
from perles.store.secrets import Secrets
from perles.store.sqlite.driver import dbapi, open_writing
from perles.store.sqlite.errors import database_error, is_lost
from perles.store.sqlite.transactions import begin, roll_back
from perles.store.transaction import Tx

T = TypeVar("T")

_PATIENCE = 30.0
"""Seconds in which a write whose connection to a server was cut is tried again."""


class _Kept(NamedTuple):
    """The connection of `Database.write`, and which file it has open."""

    connection: Any
    file: tuple[int, int]
    close: Callable[[], object]


def _file_at(path: Path) -> tuple[int, int]:
    """What tells the file at a path from another one; (0, 0) where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


class Database:
    """The database, opened for writing. One per process that writes."""

    epoch: int | None = None
    """By which an engine writes, once it leads: see `perles.store.leadership`."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self.clock = clock or SystemClock()
        self.is_file = url_of(path) is None
        self.secrets = Secrets()
        self._kept: _Kept | None = None
        self._writing = threading.Lock()

    def connect(self) -> Any:
        """A new driver connection under the rules of this module. Raises `DatabaseError`."""
        try:
            return (
                open_writing(str(self.path))
                if self.is_file
                else place.connect(self.path, self.epoch)
            )
        except dbapi.Error as error:
            raise database_error(self.path, error) from error

    def lead(self, epoch: int) -> None:
        """Write by this epoch from now on."""
        self.epoch = epoch
        self._drop_kept()

    def now(self) -> str:
        """The time as the database writes it."""
        return to_text(self.clock.now())

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """A connection to read on; each statement sees the newest committed state."""
        connection = self.connect()
        try:
            yield Reader(connection, self.path)
        finally:
            connection.close()

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in one transaction and commit it; waits for other writers.

        Raises what `work` raises (nothing is written then), and `DatabaseError`.
        """
        with self._writing:
            until = time.monotonic() + _PATIENCE
            while True:
                try:
                    return self._write(work)
                except dbapi.Error as error:
                    if is_lost(error) and time.monotonic() < until:
                        continue  # nothing of it was committed; `begin` opens the session again
                    self._drop_kept()
                    raise database_error(self.path, error) from error

    def _write(self, work: Callable[[Tx], T]) -> T:
        connection = self._writer_connection()
        begin(connection, self.path)
        try:
            tx = Tx(connection, self.now(), self.secrets)
            result = work(tx)
            tx.settle()
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        return result

    def _writer_connection(self) -> Any:
        """The connection of `write`, kept: opening one and closing the last one of a file, which
        brings the WAL into it, takes as long as ten writes. Another file needs another one."""
        if self._kept is not None and self.is_file and self._kept.file != _file_at(self.path):
            self._drop_kept()
        if self._kept is None:
            connection = self.connect()
            place.ask_often(connection)
            close = weakref.finalize(self, connection.close)
            self._kept = _Kept(connection, _file_at(self.path), close)
        return self._kept.connection

    def _drop_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def dispose(self) -> None:
        """Close what is kept open."""
        self._drop_kept()
