"""How SQLAlchemy writes a statement for SQLite. Importing this imports SQLAlchemy."""

from typing import Any, Final

from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import GenerativeSelect

from perles.store.expressions import built


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


_DIALECT: Final = _Dialect(paramstyle="named")


def compiled(statement: Any) -> tuple[str, dict[str, Any]]:
    """The text of a statement with named parameters, and the values that it holds itself."""
    real = built(statement)
    assert isinstance(real, ClauseElement)
    made = real.compile(dialect=_DIALECT)
    assert isinstance(made, SQLCompiler)
    given = {name: None for name, bind in made.binds.items() if bind.required}
    expanded = made.construct_expanded_state(given)  # lists of IN become parameters
    constants = {k: v for k, v in expanded.parameters.items() if k not in given}
    return expanded.statement, constants
