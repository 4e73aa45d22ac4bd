"""What SQLite does in a way of its own, and nothing else in Perles says: the dialect's differences.

Everywhere else SQL is what any database system understands; `perles.store.place` chooses between
this and `perles.store.postgres`. Read commands import this module, so it imports nothing large:
what takes or returns SQLAlchemy's expressions imports that itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlite3 import Connection

    from perles.store.expressions import BindParameter, ColumnElement, Select, SQLColumnExpression

BEGIN: Final = "BEGIN IMMEDIATE"
"""Starts a transaction that writes: what it reads cannot be stale when it does."""
_RULES: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
_MIGRATION_RULES: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF")
_TIME: Final = "%Y-%m-%dT%H:%M:%fZ"


# Connections.


def prepare(connection: Any) -> None:
    """Bring a new connection under the rules of every one that writes."""
    _set(connection, _RULES)


def prepare_migration(connection: Any) -> None:
    """Bring a new connection under the rules of the one that changes the schema.

    Keys are not checked row by row there: `lost_parents` tells at the end.
    """
    _set(connection, _MIGRATION_RULES)


def _set(connection: Any, rules: tuple[str, ...]) -> None:
    for rule in rules:
        connection.execute(f"PRAGMA {rule}")


def rules(connection: Any) -> dict[str, Any]:
    """Under which rules a connection is, by the names of `prepare`."""
    return {name: _value(connection, name) for name in (one.split("=")[0] for one in _RULES)}


def _value(connection: Any, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


# The file.


def file_of(connection: Connection) -> str:
    """The absolute path of the open database: "" for one in memory."""
    rows = connection.execute("PRAGMA database_list")
    return next(str(row[2]) for row in rows if row[1] == "main")


def data_version(connection: Connection) -> int:
    """A number that changes when another connection has committed."""
    return int(_value(connection, "data_version"))


def take_over_log(connection: Any) -> None:
    """Move what is committed from the write-ahead log to the database, as far as nobody reads it.

    Else the next one who writes would have to.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def vacuum(connection: Any) -> None:
    """Rewrite the file without free pages, and let it shrink; writers wait."""
    connection.execute("VACUUM")
    # What was written anew stands in the log: the file shrinks when the log is taken over.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def make_single_file(connection: Any) -> None:
    """Have the database lie in one file, without a log beside it."""
    connection.execute("PRAGMA journal_mode=DELETE")


def free_bytes(connection: Connection) -> int:
    """How much of the file is free pages, which `vacuum` gives back."""
    return int(_value(connection, "freelist_count")) * int(_value(connection, "page_size"))


# Whether it is whole.


def damages(connection: Connection, most: int) -> list[str]:
    """What a quick look finds damaged, `most` lines; [] for a file that is whole."""
    rows = connection.execute(f"PRAGMA quick_check({most})").fetchall()
    return [str(row[0]) for row in rows if row[0] != "ok"]


def damage(connection: Any) -> str | None:
    """What a thorough look, indexes included, finds damaged first; None for what is whole."""
    found = str(_value(connection, "integrity_check"))
    return None if found == "ok" else found


def lost_parents(connection: Any) -> int:
    """How many rows name a parent that is not there."""
    return len(connection.execute("PRAGMA foreign_key_check").fetchall())


# Its tables.


def tables(connection: Connection) -> list[str]:
    """The names of the tables, in order."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "ORDER BY name"
    )
    return [str(row[0]) for row in connection.execute(query)]


def has_table(connection: Connection, name: str) -> bool:
    """Whether there is such a table. Raises the driver's own error for what is no database."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def numbers(connection: Connection) -> dict[str, int]:
    """The last number that each table gave to a row, by the table's name."""
    found = connection.execute("SELECT name, seq FROM sqlite_sequence")
    return {str(row[0]): int(row[1]) for row in found}


def number_on(connection: Any, last: dict[str, int]) -> None:
    """Have tables give numbers after these."""
    for name, number in last.items():
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, number))


# Words of SQL.


def days(column: str) -> str:
    """The time in a column as a number of days, which can be reckoned with and indexed."""
    return f"julianday({column})"


def field(column: str, name: str) -> str:
    """A field of the JSON in a column."""
    return f"json_extract({column}, '$.{name}')"


def each(column: str) -> str:
    """The JSON array or object in a column as rows with `key` and `value`, to stand after FROM."""
    return f"json_each({column})"


def in_numbers() -> str:
    """The right side of IN: a JSON array of whole numbers that is a parameter, of any length."""
    return "(SELECT CAST(value AS BIGINT) FROM json_each(?))"


def field_of(column: SQLColumnExpression[Any], name: str) -> ColumnElement[Any]:
    """`field` as an expression."""
    from perles.store.expressions import func

    return func.json_extract(column, f"$.{name}")


def values_of(array: BindParameter[str]) -> Select[Any]:
    """A JSON array of texts that is a parameter, to stand after IN."""
    from perles.store.expressions import func, select

    return select(func.json_each(array).table_valued("value").c.value)


def shifted(column: SQLColumnExpression[Any], by: BindParameter[str]) -> ColumnElement[Any]:
    """The time in a column moved by such as "+1.500 seconds", written as all times are."""
    from perles.store.expressions import func

    return func.strftime(_TIME, column, by)
