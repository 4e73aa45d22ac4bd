"""Copies a whole database to an empty one, from a file to a server or back, and compares them.

All is written in one transaction, after the rows of both ends were compared by count and hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.config.database import checked
from perles.domain.errors import DatabaseError, EngineRunsError, UsageError
from perles.store import migrate, place
from perles.store.schema.tables import METADATA
from perles.store.sqlite.engine_lock import EngineLock
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.transactions import begin, roll_back

_PIECE: Final = 2000
"""Rows that are in memory at once, of tables with one key."""
_MADE: Final = frozenset({"totals", "leadership"})
"""Tables that have a row in a database that is empty."""


class Table(NamedTuple):
    """A table as it is copied: its columns but computed ones, and which of them is what."""

    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    own: tuple[str, ...]
    """Columns that point at rows of the same table: they are written last."""


def copy(source: str, target: str, home: Path) -> dict[str, int]:
    """Copy the database `source` to `target`; how many rows each table has.

    Each is a file or a URL of a server. Raises `UsageError`, `DatabaseError` and
    `EngineRunsError`; nothing is written then.
    """
    reading, writing = _end(source, home, "source"), _end(target, home, "target")
    if place.url_of(reading) is None and not reading.exists():
        raise UsageError(f"cannot copy {reading}: there is no such file")
    if reading == writing or place.url_of(reading) == place.url_of(writing) is not None:
        raise UsageError("cannot copy a database onto itself")
    with ExitStack() as held:
        _lock(held, reading)
        lock = _lock(held, writing)
        if not migrate.is_current(reading):
            raise DatabaseError(
                f"cannot copy {place.shown(reading)}: it has another schema than this perles; "
                "upgrade it first: perles db upgrade"
            )
        migrate.ensure(writing, lock)
        with (
            database_errors(reading),
            closing(place.open_readonly(reading)) as old,
            database_errors(writing),
            closing(place.connect(writing)) as new,
        ):
            return _copy(old, new, writing)


def _end(given: str, home: Path, role: str) -> Path:
    """The path by which the rest of the store knows one end."""
    if "://" in given:
        path = home / role / place.NAME  # only a name: there is no such file
        place.choose(path, checked(given, role))
    else:
        path = Path(given).expanduser().absolute()
        place.choose(path, None)
    return path


def _lock(held: ExitStack, path: Path) -> EngineLock:
    lock = place.engine_lock(path)
    try:
        held.enter_context(lock)
    except EngineRunsError as error:
        raise DatabaseError(
            f"cannot copy while an engine runs on {place.shown(path)}; stop it: perles engine stop"
        ) from error
    return lock


def _copy(old: Any, new: Any, writing: Path) -> dict[str, int]:
    tables = [_described(one) for one in METADATA.sorted_tables]
    begin(new, writing)
    try:
        _refuse_filled(new, tables, writing)
        old.execute("BEGIN")
        if place.is_server(old):
            old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for table in reversed([one for one in tables if one.name in _MADE]):
            new.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own tables
        for table in tables:
            _fill(old, new, table)
        counts = {table.name: _compare(old, new, table) for table in tables}
        place.number_on(new, place.numbers(old))
        old.execute("ROLLBACK")
        new.execute("COMMIT")
    except BaseException:
        roll_back(new)
        raise
    return counts


def _described(table: Any) -> Table:
    columns = tuple(one.name for one in table.columns if one.computed is None)
    own = tuple(sorted(key.parent.name for key in table.foreign_keys if key.column.table is table))
    return Table(table.name, columns, tuple(one.name for one in table.primary_key), own)


def _refuse_filled(new: Any, tables: list[Table], writing: Path) -> None:
    for table in tables:
        query = f"SELECT 1 FROM {table.name} LIMIT 1"  # noqa: S608 - names of our own tables
        if table.name not in _MADE and new.execute(query).fetchone() is not None:
            raise DatabaseError(
                f"cannot copy to {place.shown(writing)}: it is not empty ({table.name} has rows); "
                "name an empty database"
            )


def _rows(connection: Any, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """All rows by their keys, in pieces; without NUL characters, which no server keeps."""
    listed = ", ".join(f'"{name}"' for name in table.columns)
    order = ", ".join(f'"{name}"' for name in table.keys)
    query = f"SELECT {listed} FROM {table.name}"  # noqa: S608 - names of our own tables
    if len(table.keys) > 1:
        yield [_plain(row) for row in connection.execute(f"{query} ORDER BY {order}").fetchall()]
        return
    place_of_key, last = table.columns.index(table.keys[0]), None
    while True:
        after = "" if last is None else f" WHERE {order} > ?"
        text = f"{query}{after} ORDER BY {order} LIMIT {_PIECE}"
        found = connection.execute(text, () if last is None else (last,)).fetchall()
        yield [_plain(row) for row in found]
        if len(found) < _PIECE:
            return
        last = found[-1][place_of_key]


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(
        value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value
        for value in row
    )


def _fill(old: Any, new: Any, table: Table) -> None:
    listed = ", ".join(f'"{name}"' for name in table.columns)
    marks = ", ".join("?" * len(table.columns))
    insert = f"INSERT INTO {table.name} ({listed}) VALUES ({marks})"  # noqa: S608 - our own names
    pointing = [table.columns.index(name) for name in table.own]
    later: list[tuple[Any, ...]] = []
    for piece in _rows(old, table):
        if pointing:
            key = table.columns.index(table.keys[0])
            later += [(*(row[at] for at in pointing), row[key]) for row in piece]
            piece = [
                tuple(None if at in pointing else value for at, value in enumerate(row))
                for row in piece
            ]
        new.executemany(insert, piece)
    if pointing:
        values = ", ".join(f'"{name}" = ?' for name in table.own)
        update = f'UPDATE {table.name} SET {values} WHERE "{table.keys[0]}" = ?'  # noqa: S608
        new.executemany(update, [row for row in later if any(one is not None for one in row[:-1])])


def _compare(old: Any, new: Any, table: Table) -> int:
    """How many rows a table has. Raises `DatabaseError` where the copy differs."""
    (count, was), (copied, now) = _digest(old, table), _digest(new, table)
    if (count, was) != (copied, now):
        raise DatabaseError(
            f"cannot copy {table.name}: {copied} of {count} rows arrived, or some arrived "
            "changed; nothing was written"
        )
    return count


def _digest(connection: Any, table: Table) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    for piece in _rows(connection, table):
        count += len(piece)
        for row in piece:
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return count, digest.hexdigest()
