"""Reads rows on one connection, as models or as plain rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from perles.store import place
from perles.store.schema.base import Base
from perles.store.sql import Sql, by_id
from perles.store.sqlite.driver import dbapi
from perles.store.sqlite.errors import database_error, is_unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perles.store.watching import Watch

M = TypeVar("M", bound=Base)


class Reader:
    """Reads rows on one connection. Rows come as detached models or as plain rows.

    Raises `DatabaseError` where the database at `path` cannot be read.
    """

    __slots__ = ("_connection", "_path")

    def __init__(self, connection: Any, path: Path | str = "perles.db") -> None:
        self._connection, self._path = connection, path

    def _ask(self, text: str, params: Any) -> Any:
        """The cursor of a statement: all of them pass here."""
        return self._connection.execute(text, params)

    def rows(self, sql: Sql, **params: Any) -> list[Any]:
        """All rows, each with access by column name."""
        try:
            found: list[Any] = self._ask(*sql.bind(params)).fetchall()
        except dbapi.Error as error:
            raise self._told(error) from error
        return found

    def row(self, sql: Sql, **params: Any) -> Any:
        """The first row, or None."""
        try:
            return self._ask(*sql.bind(params)).fetchone()
        except dbapi.Error as error:
            raise self._told(error) from error

    def value(self, sql: Sql, **params: Any) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, **params)
        return None if found is None else found[0]

    def execute(self, sql: str, params: Sequence[Any] = (), /) -> list[Any]:
        """All rows of a statement that is plain text, as the modules of `store.reads` write it."""
        try:
            found: list[Any] = self._ask(sql, params).fetchall()
        except dbapi.Error as error:
            raise self._told(error) from error
        return found

    def take_over_log(self) -> None:
        """Move what is committed from the write-ahead log to the database."""
        try:
            place.take_over_log(self._connection)
        except dbapi.Error as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> Exception:
        """The error to raise for the driver's."""
        return database_error(self._path, error) if is_unusable(error) else error

    def watch(self, path: Path, *, settle: float, quiet: float) -> Watch:
        """Tells when others committed to the database at `path`, which this reads."""
        from perles.store.watching import watched

        return watched(self._connection, path, settle=settle, quiet=quiet)

    def all(self, model: type[M], sql: Sql, **params: Any) -> list[M]:
        """All rows of a statement that selects the columns of `model`."""
        return [detached(model, row) for row in self.rows(sql, **params)]

    def first(self, model: type[M], sql: Sql, **params: Any) -> M | None:
        """The first row of a statement that selects the columns of `model`, or None."""
        found = self.row(sql, **params)
        return None if found is None else detached(model, found)

    def get(self, model: type[M], id: int | str) -> M | None:
        """The row with this primary key, or None."""
        return self.first(model, by_id(model), id=id)

    def need(self, model: type[M], id: int | str) -> M:
        """The row with this primary key. Raises `LookupError` where there is none."""
        found = self.get(model, id)
        if found is None:
            raise LookupError(f"no row {id!r} in {model.__tablename__}")
        return found


def detached(model: type[M], row: Any) -> M:
    """A model with the columns of a row.

    Its constructor would set each with its history: twenty times the cost, a fifth of the engine's.
    """
    made = model.__new__(model)
    made.__dict__.update(dict(row))
    return made
