"""Which schema this code speaks, told without Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import DatabaseError
from perles.store.place import has_table, is_server, shown
from perles.store.sqlite.driver import dbapi

if TYPE_CHECKING:
    from sqlite3 import Connection

HEAD: Final = "0035"
"""The newest revision in `migrations/`; a test holds it to that."""


def schema_version(connection: Connection) -> str | None:
    """The revision of an open database, or None where it has no schema yet.

    Raises the driver's own error when the file is not a database.
    """
    query = "SELECT version_num FROM alembic_version"
    if is_server(connection):
        return _version_on_server(connection, query)
    try:
        row = connection.execute(query).fetchone()
    except dbapi.OperationalError:
        # Each read asks: looking for the table first would be one more statement for all of them.
        if not has_table(connection, "alembic_version"):
            return None
        # Made between the two looks, or something else is wrong, which is told now.
        row = connection.execute(query).fetchone()
    return None if row is None else str(row[0])


def _version_on_server(connection: Any, query: str) -> str | None:
    """Without looking for the table first: each read asks, and that would be a round trip more."""
    from perles.store.postgres.errors import NO_TABLE, StatementError

    try:
        row = connection.execute(query).fetchone()
    except StatementError as error:
        if error.sqlstate != NO_TABLE:
            raise
        return None
    return None if row is None else str(row[0])


def refuse_newer(version: str | None, path: Path | str) -> None:
    """Raise `DatabaseError` when a newer Perles made this database."""
    if version is not None and version > HEAD:
        raise DatabaseError(
            f"cannot use database {shown(path)}: its schema {version} is newer than this perles "
            f"knows ({HEAD}); upgrade perles"
        )
