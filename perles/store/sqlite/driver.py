"""Which SQLite this process uses. Everything in a process opens the database through `dbapi`.

SQLite 3.7.0 to 3.51.2 can damage a WAL database when two connections write and
checkpoint at the same instant (fixed in 3.51.3, and in 3.50.7 and 3.44.6). Where
the interpreter's own library lies in that range, the `pysqlite3` wheel, which
carries a newer one, stands in for it. Two libraries on one file in one process
would lose each other's POSIX locks: hence one door.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from perles.store.sqlite import backend

if TYPE_CHECKING:
    from sqlite3 import Connection
    from types import ModuleType


def is_safe(version: tuple[int, ...]) -> bool:
    """Whether an SQLite of this version is free of the WAL-reset race."""
    if version >= (3, 51, 3) or version < (3, 7, 0):
        return True
    return (
        version[:2] in {(3, 50), (3, 44)}
        and version >= {50: (3, 50, 7), 44: (3, 44, 6)}[version[1]]
    )


def _choose() -> ModuleType:
    own = import_module("_sqlite3")
    if not is_safe(tuple(int(part) for part in own.sqlite_version.split("."))):
        try:
            return import_module("pysqlite3.dbapi2")
        except ImportError:
            pass  # No wheel for this platform: `dbapi_is_safe` tells, and so does `perles doctor`.
    return import_module("sqlite3.dbapi2")


dbapi: Final[Any] = _choose()
dbapi_is_safe: Final = is_safe(tuple(dbapi.sqlite_version_info))

BUSY_TIMEOUT: Final = 10.0
"""Seconds that a connection waits for another one's lock."""


def open_readonly(
    path: str, timeout: float = BUSY_TIMEOUT, *, any_thread: bool = False
) -> Connection:
    """A connection that can only read. It waits `timeout` seconds for a lock; the caller closes it.

    With `any_thread` threads may use it one after the other.

    A WAL database in a folder that may not be written is opened as immutable,
    when no other process has it open. Raises the driver's own errors.
    """
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection: Connection = dbapi.connect(
        f"file:{quoted}?mode=ro",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=not any_thread,
    )
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except dbapi.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise
        connection = dbapi.connect(
            f"file:{quoted}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=not any_thread,
        )
    connection.row_factory = dbapi.Row
    return connection


def open_writing(path: str) -> Connection:
    """A connection that writes, under the rules of `backend.prepare`; threads may use it one after
    the other. The caller closes it. Raises the driver's own errors."""
    connection: Connection = dbapi.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = dbapi.Row
        backend.prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection
