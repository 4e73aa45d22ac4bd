"""SQL that SQLAlchemy writes once and the driver runs often.

A statement is built from the models with SQLAlchemy's expressions and compiled
at its first use. What then runs is its text with named parameters: a tenth of
the cost of compiling or even of looking up a cached compilation at every call.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from sqlalchemy import BindParameter, Executable, bindparam, insert, inspect, select, update
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import GenerativeSelect

from perles.store.schema.base import Base

WORKFLOW_ID: Final[BindParameter[str]] = bindparam("workflow_id")


class _Compiler(SQLiteCompiler):
    """Writes limits so that SQLite does not plan a statement anew at each run.

    It does so whenever a parameter is bound that stands alone after LIMIT, since its value
    may change the plan (`sqlite3_bind`, "expmask"): half of what a small statement costs.
    """

    def limit_clause(self, select: GenerativeSelect, **kw: Any) -> str:
        limit = select._limit_clause
        assert limit is not None, "a limit is what brings us here"
        assert select._offset_clause is None, "nothing here skips rows"
        if getattr(limit, "required", False):
            return f"\n LIMIT {self.process(limit, **kw)} + 0"
        return f"\n LIMIT {self.process(limit, **{**kw, 'literal_binds': True})}"


class _Dialect(SQLiteDialect_pysqlite):
    statement_compiler = _Compiler
    supports_statement_cache = True


_DIALECT = _Dialect(paramstyle="named")


class Sql:
    """One statement, compiled at first use."""

    __slots__ = ("_compiled", "_statement", "table")

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self.table = str(getattr(getattr(statement, "table", None), "name", ""))
        """The table that it writes; "" for one that reads."""
        self._compiled: tuple[str, dict[str, Any]] | None = None

    def bind(self, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """What the driver runs: the text, and `params` joined by the statement's own constants."""
        if self._compiled is None:
            self._compiled = self._compile()
        text, constants = self._compiled
        return (text, constants | params) if constants else (text, params)

    def _compile(self) -> tuple[str, dict[str, Any]]:
        assert isinstance(self._statement, ClauseElement)
        compiled = self._statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, SQLCompiler)
        given = {name: None for name, bind in compiled.binds.items() if bind.required}
        expanded = compiled.construct_expanded_state(given)  # lists of IN become parameters
        constants = {k: v for k, v in expanded.parameters.items() if k not in given}
        return expanded.statement, constants


@cache
def by_id(model: type[Base]) -> Sql:
    """The row of `model` with the primary key `:id`."""
    (key,) = inspect(model).primary_key
    return Sql(select(model.__table__).where(key == bindparam("id")))


@cache
def insert_of(model: type[Base], columns: tuple[str, ...]) -> Sql:
    """An INSERT of these columns."""
    return Sql(insert(model).values({name: bindparam(name) for name in columns}))


@cache
def update_of(model: type[Base], columns: tuple[str, ...]) -> Sql:
    """An UPDATE of these columns in the row with the primary key `:id_`."""
    (key,) = inspect(model).primary_key
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Sql(update(model).where(key == bindparam("id_")).values(values))


def names(columns: Iterable[str]) -> tuple[str, ...]:
    """Column names in a fixed order, so that equal sets share one statement."""
    return tuple(sorted(columns))


def plain(value: Any) -> Any:
    """`value` as the driver takes it: enums and booleans as what they stand for."""
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value
