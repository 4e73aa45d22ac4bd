"""SQL that SQLAlchemy writes once and the driver runs often.

A statement is written with SQLAlchemy's expressions and the classes of rows. What runs is its
text with named parameters: a tenth of the cost of compiling or even of looking up a cached
compilation at every call. The texts of all statements are recorded, so that SQLAlchemy is
imported only where statements are written; `make statements` records them, and one that is not
recorded is compiled at its first use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from perles.store.expressions import BindParameter, Executable, bindparam, root_of, written
from perles.store.sqlite.recorded import STATEMENTS

if TYPE_CHECKING:
    from perles.store.schema.base import Base

WORKFLOW_ID: Final[BindParameter[str]] = bindparam("workflow_id")
Compiled = tuple[str, dict[str, Any]]
"""What the driver runs: a text with named parameters, and the values that it holds itself."""


class Sql:
    """One statement, whose text is looked up at its first use."""

    __slots__ = ("_compiled", "statement", "table")

    def __init__(self, statement: Executable | None, compiled: Compiled | None = None) -> None:
        self.statement = statement
        self.table = _table(statement)
        """The table that it writes; "" for one that reads."""
        self._compiled = compiled

    def bind(self, params: dict[str, Any]) -> Compiled:
        """What the driver runs: the text, and `params` joined by the statement's own constants."""
        if self._compiled is None:
            self._compiled = STATEMENTS.get(digest(self.statement)) or _compile(self.statement)
        text, constants = self._compiled
        return (text, constants | params) if constants else (text, params)


def digest(statement: Any) -> str:
    """By what the text of a statement is recorded; "" for one that cannot be."""
    text = written(statement)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest() if text else ""


def _compile(statement: Any) -> Compiled:
    from perles.store.compiling import compiled

    return compiled(statement)


def _table(statement: Any) -> str:
    word, args = root_of(statement)
    if word in ("update", "insert", "delete"):
        return str(args[0].__tablename__)
    return str(getattr(getattr(statement, "table", None), "name", "")) if not word else ""


def _plain(text: str, table: str = "") -> Sql:
    """A statement whose text is simple enough to be put together here."""
    made = Sql(None, (text, {}))
    made.table = table
    return made


@cache
def by_id(model: type[Base]) -> Sql:
    """The row of `model` with the primary key `:id`."""
    columns = ", ".join(f't."{name}"' for name in model.__columns__)  # bare, a typo is a text
    table = model.__tablename__
    return _plain(f'SELECT {columns} FROM {table} AS t WHERE t."{model.__key__}" = :id')


@cache
def insert_of(model: type[Base], columns: tuple[str, ...]) -> Sql:
    """An INSERT of these columns."""
    values = ", ".join(f":{name}" for name in columns)
    return _plain(
        f"INSERT INTO {model.__tablename__} ({_listed(columns)}) VALUES ({values})",
        model.__tablename__,
    )


@cache
def update_of(model: type[Base], columns: tuple[str, ...]) -> Sql:
    """An UPDATE of these columns in the row with the primary key `:id_`."""
    return _plain(
        f'UPDATE {model.__tablename__} SET {_set(columns)} WHERE "{model.__key__}" = :id_',
        model.__tablename__,
    )


@cache
def move_of(model: type[Base], column: str, columns: tuple[str, ...]) -> Sql:
    """An UPDATE of these columns and of the version, where state and version are as they were.

    Its parameters are `:id_`, `:state_`, `:version_`, `:now_` and the columns.
    """
    return _plain(
        f'UPDATE {model.__tablename__} SET {_set(columns)}, "version" = "version" + 1, '
        f'"updated_at" = :now_ WHERE "id" = :id_ AND "{column}" = :state_ AND '
        '"version" = :version_',
        model.__tablename__,
    )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _set(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}" = :{name}' for name in columns)


def names(columns: Iterable[str]) -> tuple[str, ...]:
    """Column names in a fixed order, so that equal sets share one statement."""
    return tuple(sorted(columns))


def plain(value: Any) -> Any:
    """`value` as the driver takes it: enums and booleans as what they stand for."""
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value
