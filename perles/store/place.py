"""Where the database of a home is, in its file or on a PostgreSQL server, and what then differs.

Everywhere the path of the file, `perles.db` in the home folder, names the database. Here alone
it is decided that it stands for one on a server. Read commands import this module, so it
imports nothing large, and nothing of PostgreSQL before it is needed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from perles.config.home import CONFIG_VARIABLES, user_config
from perles.store.sqlite import backend, driver
from perles.store.sqlite.driver import BUSY_TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

    from perles.store.postgres.driver import Address
    from perles.store.sqlite.engine_lock import EngineLock

NAME: Final = "perles.db"
"""The name of a home's database: a file of another name is what it is, such as a backup."""
_chosen: dict[str, str | None] = {}
_may_be_named: dict[tuple[str | None, ...], bool] = {}


def url_of(path: Path | str) -> str | None:
    """The URL of the server's database that `path` stands for; None for the file itself.

    Raises `UsageError`.
    """
    text = str(path)
    if _chosen and text in _chosen:
        return _chosen[text]
    if text.rpartition("/")[2] != NAME:
        return None
    if "PERLES_DATABASE" not in os.environ:
        about = tuple(map(os.environ.get, CONFIG_VARIABLES))
        if about not in _may_be_named:
            _may_be_named[about] = _is_mentioned()
        if not _may_be_named[about]:
            return None
    from perles.config.database import server_url

    return server_url()


def _is_mentioned() -> bool:
    """Whether the user's file may name a database: only then it is worth while to parse it."""
    try:
        with open(user_config(os.environ), "rb") as file:  # noqa: PTH123 - start-up counts
            return b"database" in file.read()
    except OSError:
        return False  # the code that needs the configuration meets this error, and tells it


def choose(path: Path, url: str | None) -> None:
    """Have this path stand for that server's database in this process, or for the file itself."""
    _chosen[str(path)] = url


def address_of(path: Path | str) -> Address | None:
    """`url_of`, with the path, as the modules of `postgres` take it."""
    url = url_of(path)
    if url is None:
        return None
    from perles.store.postgres.driver import Address

    return Address(url, str(path))


def shown(path: Path | str) -> str:
    """The database as messages name it; never with a password."""
    url = url_of(path)
    if url is None:
        return str(path)
    from perles.config.database import shown as shown_url

    return shown_url(url)


# Connections and locks.


def open_readonly(
    path: Path | str, timeout: float = BUSY_TIMEOUT, *, any_thread: bool = False
) -> Connection:
    """A connection that can only read, as `sqlite.driver.open_readonly`; the caller closes it."""
    address = address_of(path)
    if address is None:
        return driver.open_readonly(str(path), timeout, any_thread=any_thread)
    from perles.store.postgres import driver as server
    from perles.store.postgres import sessions

    # Who waits as long as one does for a lock waits for a server, too, that starts anew.
    patience = timeout if timeout < BUSY_TIMEOUT else server.PATIENCE
    return sessions.open_readonly(address, patience=patience)  # type: ignore[return-value] # used alike


def expect(path: Path) -> None:
    """Have this process wait for a server that cannot be reached at first, as if it had been.

    For a process whose starter reached it. A file is there, or is not.
    """
    address = address_of(path)
    if address is not None:
        from perles.store.postgres import sessions

        sessions.expect(address)


def connect(path: Path, epoch: int | None = None) -> Any:
    """A bare connection for one who removes rows by hand, as `sqlite.transactions.connect`.

    On a server it writes for as long as the engine of this `epoch` leads, where one is given.
    """
    address = address_of(path)
    if address is None:
        from perles.store.sqlite import transactions

        return transactions.connect(path)
    from perles.store.postgres import sessions

    return sessions.connect(address, epoch=epoch)


def ask_often(connection: Any) -> None:
    """Have `begin` on this connection ask for SQLite's lock often; a server wakes who waits."""
    if not is_server(connection):
        from perles.store.sqlite import transactions

        transactions.ask_often(connection)


def engine_lock(path: Path, looker: Connection | None = None) -> EngineLock:
    """The lock that makes one engine per database. Free it with `release`.

    Who only looks at a server's gives an open connection: it needs no session of its own.
    """
    address = address_of(path)
    if address is None:
        from perles.store.sqlite.engine_lock import EngineLock

        return EngineLock(path)
    from perles.store.postgres.engine_lock import ServerLock

    return ServerLock(address, looker)


# An open connection.


def is_server(connection: Any) -> bool:
    """Whether it is a session of a PostgreSQL server."""
    return hasattr(connection, "has_pooler")


def is_spoiled(connection: Any) -> bool:
    """Whether its transaction takes nothing more, as on a server after a statement that failed."""
    return getattr(connection, "is_spoiled", False)


def file_of(connection: Connection) -> str:
    """The absolute path of the database's file, or of the one that it stands for.

    "" for one in memory.
    """
    if is_server(connection):
        return str(connection.path)  # type: ignore[attr-defined]
    return backend.file_of(connection)


def home_of(connection: Connection) -> str:
    """The home folder of the database: "" for one in memory."""
    return file_of(connection).rpartition("/")[0]


def take_over_log(connection: Any) -> None:
    """Move what is committed from SQLite's write-ahead log to the database."""
    if not is_server(connection):
        backend.take_over_log(connection)


def free_bytes(connection: Connection) -> int:
    """How much of the file is free pages, which a vacuum gives back; a server reuses its own."""
    return 0 if is_server(connection) else backend.free_bytes(connection)


def bytes_of(connection: Connection) -> int | None:
    """What a database on a server takes there; None for a file, which tells that itself."""
    if not is_server(connection):
        return None
    from perles.store.postgres import catalog

    return catalog.bytes_of(connection)


def damages(connection: Connection, most: int) -> list[str]:
    """What a quick look finds damaged, `most` lines; a server watches over its own files."""
    return [] if is_server(connection) else backend.damages(connection, most)


def tables(connection: Connection) -> list[str]:
    """The names of the tables, in order."""
    if is_server(connection):
        from perles.store.postgres import catalog

        return catalog.tables(connection)
    return backend.tables(connection)


def has_table(connection: Connection, name: str) -> bool:
    """Whether there is such a table. Raises the driver's own error for what is no database."""
    if is_server(connection):
        from perles.store.postgres import catalog

        return catalog.has_table(connection, name)
    return backend.has_table(connection, name)


def numbers(connection: Connection) -> dict[str, int]:
    """The last number that each table gave to a row, by the table's name."""
    if is_server(connection):
        from perles.store.postgres import catalog

        return catalog.numbers(connection)
    return backend.numbers(connection)


def number_on(connection: Connection, last: dict[str, int]) -> None:
    """Have tables give numbers after these: none that was given is given again."""
    if is_server(connection):
        from perles.store.postgres import catalog

        catalog.number_on(connection, last)
    else:
        backend.number_on(connection, last)
