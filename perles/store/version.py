"""Which schema this code speaks, told without Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from perles.domain.errors import DatabaseError
from perles.store.place import has_table, shown

if TYPE_CHECKING:
    from sqlite3 import Connection

HEAD: Final = "0035"
"""The newest revision in `migrations/`; a test holds it to that."""


def schema_version(connection: Connection) -> str | None:
    """The revision of an open database, or None where it has no schema yet.

    Raises the driver's own error when the file is not a database.
    """
    if not has_table(connection, "alembic_version"):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def refuse_newer(version: str | None, path: Path | str) -> None:
    """Raise `DatabaseError` when a newer Perles made this database."""
    if version is not None and version > HEAD:
        raise DatabaseError(
            f"cannot use database {shown(path)}: its schema {version} is newer than this perles "
            f"knows ({HEAD}); upgrade perles"
        )
