"""Connections that only read, and refuse a database that is newer than this code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import DatabaseError
from perles.store.place import open_readonly, shown, url_of
from perles.store.sqlite.driver import BUSY_TIMEOUT
from perles.store.sqlite.errors import database_errors
from perles.store.version import HEAD, refuse_newer, schema_version

if TYPE_CHECKING:
    from sqlite3 import Connection as Connection
    from sqlite3 import Row as Row


Json = dict[str, Any]


@contextmanager
def reading(path: Path, *, timeout: float = BUSY_TIMEOUT) -> Iterator[Connection | None]:
    """A connection that only reads; None where there is no database yet.

    Raises `DatabaseError` for one that cannot be read by this code.
    """
    file = file_at(path)
    if file is None:
        yield None
        return
    kept = _KEPT.get(str(path)) if _KEPT else None
    if kept is not None:
        with database_errors(path), kept.lent(file) as connection:
            yield connection if _is_readable(connection, path) else None
        return
    with database_errors(path):
        connection = open_readonly(path, timeout)
        try:
            yield connection if _is_readable(connection, path) else None
        finally:
            connection.close()


def file_at(path: Path) -> tuple[int, int] | None:
    """What tells the file at a path from another one; None where there is none.

    A database on a server is always there.
    """
    if url_of(path) is not None:
        return (0, 0)
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _is_readable(connection: Connection, path: Path) -> bool:
    """Whether it has a schema. Raises `DatabaseError` where that is not ours."""
    version = schema_version(connection)
    refuse_newer(version, path)
    if version is not None and version != HEAD:
        raise DatabaseError(
            f"cannot read database {shown(path)}: its schema is {version}, this perles needs "
            f"{HEAD}; upgrade it: perles db upgrade"
        )
    return version is not None


def mappings(rows: Sequence[Row]) -> list[Json]:
    """Rows of one statement as dictionaries.

    SQLite's driver compares a name with those of all columns before it: for a row of which most
    columns are asked for by name, that takes longer than to read it.
    """
    names = rows[0].keys() if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


class Kept:
    """Connections to one file that are kept open between reads, for a program that reads often.

    Opening one, and reading the schema, takes as long as ten reads.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._idle: list[tuple[tuple[int, int], Connection]] = []
        self._pid = os.getpid()
        self.users = 0

    @contextmanager
    def lent(self, file: tuple[int, int]) -> Iterator[Connection]:
        """A connection to the file that stands there, for one thread at a time."""
        connection = self._take(file)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self.users and self._pid == os.getpid() and len(self._idle) < _MOST_IDLE:
            self._idle.append((file, connection))
        else:
            connection.close()

    def _take(self, file: tuple[int, int]) -> Connection:
        if self._pid != os.getpid():  # a child may not use what its parent opened
            self._idle, self._pid = [], os.getpid()
        while self._idle:
            try:
                opened, connection = self._idle.pop()
            except IndexError:
                break  # another thread took it
            if opened == file:
                return connection
            connection.close()
        return open_readonly(self._path, any_thread=True)

    def close(self) -> None:
        """Close unused connections."""
        while self._idle:
            self._idle.pop()[1].close()


_KEPT: dict[str, Kept] = {}
_MOST_IDLE: Final = 8


def keep(path: Path) -> Callable[[], None]:
    """Keep connections to this file open between reads, until what this returns is called."""
    kept = _KEPT.setdefault(str(path), Kept(path))
    kept.users += 1

    def let_go() -> None:
        kept.users -= 1
        if kept.users == 0:
            _KEPT.pop(str(path), None)
            kept.close()

    return let_go
