"""Connections that only read, and refuse a database that is newer than this code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perles.domain.errors import DatabaseError
from perles.store.sqlite.driver import BUSY_TIMEOUT, open_readonly
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
    if not os.path.exists(path):
        yield None
        return
    with database_errors(path):
        connection = open_readonly(str(path), timeout)
        try:
            version = schema_version(connection)
            refuse_newer(version, path)
            if version is not None and version != HEAD:
                raise DatabaseError(
                    f"cannot read database {path}: its schema is {version}, this perles needs "
                    f"{HEAD}; upgrade it: perles db upgrade"
                )
            yield connection if version is not None else None
        finally:
            connection.close()
