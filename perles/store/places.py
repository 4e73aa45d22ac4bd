"""Where the files lie that rows name: paths are kept relative to the home of their database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perles.config.home import found

if TYPE_CHECKING:
    from sqlite3 import Connection


def home_of(connection: Connection) -> str:
    """The folder of the open database: "" for one in memory."""
    rows = connection.execute("PRAGMA database_list")
    path: str = next(row[2] for row in rows if row[1] == "main")
    return path.rpartition("/")[0]


def located(connection: Connection, text: str) -> str:
    """The absolute path that a row of this database names."""
    return found(home_of(connection), text)
