"""Tests that open a home's database by hand, as SQLite's driver opens its file, on a server."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from perles.store.place import address_of
from perles.store.postgres import sessions
from perles.store.sqlite import driver as driver
from perles.store.sqlite.backend import BEGIN

_NUMBERED: Final = re.compile(r"\?(\d+)")
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_open_file = driver.dbapi.connect


def connect(database: Any, *args: Any, **options: Any) -> Any:
    """In the stead of SQLite's `connect`: a session where the path stands for one on a server."""
    named = isinstance(database, str | Path)
    address = address_of(database) if named and not options.get("uri") else None
    return _open_file(database, *args, **options) if address is None else ByHand(address)


class ByHand:
    """A session whose statements commit by themselves, unless BEGIN was said."""

    def __init__(self, address: Any) -> None:
        self._session = sessions.connect(address, application="perles test")
        self.row_factory: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __enter__(self) -> "ByHand":
        return self

    def __exit__(self, *_error: object) -> None:
        self.commit()

    def execute(self, sql: str, params: Any = ()) -> Any:
        """Run a statement; those that only SQLite has do nothing."""
        if sql.lstrip().upper().startswith("PRAGMA"):
            sql = "SELECT 1 WHERE 1 = 0"
        if _NUMBERED.search(sql):
            sql = _NUMBERED.sub(r":p\1", sql)
            params = {f"p{place}": value for place, value in enumerate(params, 1)}
        if sql == "BEGIN EXCLUSIVE":
            return self._lock_all()
        found = self._session.execute(sql, params)
        if sql == BEGIN:
            self._session.catch_up()  # the lock is taken now, as on a file
        return found

    def _lock_all(self) -> Any:
        """Begin a transaction that lets nobody even read, as it lets nobody on a file."""
        self._session.begin()
        tables = self._session.execute(_TABLES).fetchall()
        names = ", ".join(row[0] for row in tables)
        return self._session.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")

    def executemany(self, sql: str, rows: Sequence[Any]) -> None:
        """Run a statement for each of these."""
        self._session.executemany(sql, list(rows))

    def executescript(self, sql: str) -> None:
        """Run each of these statements."""
        for statement in filter(str.strip, sql.split(";")):
            self.execute(statement)

    def commit(self) -> None:
        """Commit what BEGIN began."""
        if self._session.in_transaction:
            self._session.commit()

    def rollback(self) -> None:
        """Take back what BEGIN began."""
        if self._session.in_transaction:
            self._session.roll_back()

    def close(self) -> None:
        """End the session; what it did not commit is undone."""
        self._session.close()
