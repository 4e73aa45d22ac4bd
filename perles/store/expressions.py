"""The words of SQLAlchemy in which tables and statements are written, without SQLAlchemy.

To import it and to make models and statements of what is written takes longer than most
commands, and than all else that an engine does when it starts. So an expression is noted as it
is written, and built when something needs it: a statement that nobody recorded
(`perles.store.sql`), a migration, a test. To a type checker these are SQLAlchemy's own words.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import BigInteger as BigInteger
    from sqlalchemy import BindParameter as BindParameter
    from sqlalchemy import Boolean as Boolean
    from sqlalchemy import CheckConstraint as CheckConstraint
    from sqlalchemy import ColumnElement as ColumnElement
    from sqlalchemy import Computed as Computed
    from sqlalchemy import Executable as Executable
    from sqlalchemy import ForeignKey as ForeignKey
    from sqlalchemy import Index as Index
    from sqlalchemy import Integer as Integer
    from sqlalchemy import Select as Select
    from sqlalchemy import SQLColumnExpression as SQLColumnExpression
    from sqlalchemy import Subquery as Subquery
    from sqlalchemy import Text as Text
    from sqlalchemy import UniqueConstraint as UniqueConstraint
    from sqlalchemy import and_ as and_
    from sqlalchemy import bindparam as bindparam
    from sqlalchemy import case as case
    from sqlalchemy import cast as cast
    from sqlalchemy import delete as delete
    from sqlalchemy import exists as exists
    from sqlalchemy import func as func
    from sqlalchemy import insert as insert
    from sqlalchemy import literal_column as literal_column
    from sqlalchemy import or_ as or_
    from sqlalchemy import select as select
    from sqlalchemy import text as text
    from sqlalchemy import union_all as union_all
    from sqlalchemy import update as update
    from sqlalchemy.orm import Mapped as Mapped
    from sqlalchemy.orm import aliased as aliased
    from sqlalchemy.orm import mapped_column as mapped_column

_TYPES: Final = (
    *("BindParameter", "ColumnElement", "Executable", "SQLColumnExpression", "Select", "Subquery"),
)
"""What only annotations name."""
_WORDS: Final = {
    "sqlalchemy": (
        *("BigInteger", "Boolean", "CheckConstraint", "Computed", "ForeignKey", "Index", "Integer"),
        *("Text", "UniqueConstraint", "and_", "bindparam", "case", "cast", "delete", "exists"),
        *("func", "insert", "literal_column", "or_", "select", "text", "union_all", "update"),
    ),
    "sqlalchemy.orm": ("Mapped", "aliased", "mapped_column"),
}


class Noted:
    """An expression as it was written: how it is made, and of what."""

    __slots__ = ("_how_", "_made_", "_parts_")  # no column is called so
    is_clause_element = False
    """What SQLAlchemy looks at, before it asks for `__clause_element__`."""

    def __init__(self, how: str, *parts: Any) -> None:
        self._how_ = how
        self._parts_ = parts
        self._made_: Any = None

    def __getattr__(self, name: str) -> Noted:
        if name.startswith("__"):
            raise AttributeError(name)
        return Noted("attribute", self, name)

    def __call__(self, *args: Any, **named: Any) -> Noted:
        return Noted("call", self, args, named)

    def __clause_element__(self) -> Any:
        """What SQLAlchemy itself takes where it is given this."""
        return built(self)

    def __bool__(self) -> bool:
        raise TypeError("cannot tell whether an expression is true: the database does")

    def __hash__(self) -> int:
        return id(self)


def _operators() -> Iterable[tuple[str, Callable[..., Any]]]:
    """The special methods that write an operator down, each with what carries it out."""
    both = ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or")
    for name in (*both, "eq", "ne", "lt", "le", "gt", "ge", "getitem", "invert", "neg"):
        yield f"__{name}__", getattr(operator, f"__{name}__")
    for name in both:
        yield f"__r{name}__", _turned(getattr(operator, f"__{name}__"))


def _turned(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda right, left: act(left, right)


def _noting(how: str) -> Callable[..., Noted]:
    return lambda self, *others: Noted(how, self, *others)


_BUILDERS: Final[dict[str, Callable[..., Any]]] = {
    "word": lambda module, name: getattr(import_module(module), name),
    "attribute": getattr,
    "call": lambda called, args, named: called(*args, **named),
}
for _name, _act in _operators():
    _BUILDERS[_name] = _act
    setattr(Noted, _name, _noting(_name))
if not TYPE_CHECKING:
    for _name in _TYPES:
        globals()[_name] = type(_name, (), {"__class_getitem__": classmethod(lambda cls, _: cls)})
    for _module, _names in _WORDS.items():
        globals().update({_name: Noted("word", _module, _name) for _name in _names})


def built(part: Any) -> Any:
    """A part of an expression as SQLAlchemy takes it; one that stands in two places is one."""
    if isinstance(part, Noted):
        if part._made_ is None:
            part._made_ = _BUILDERS[part._how_](*(built(one) for one in part._parts_))
        return part._made_
    if isinstance(part, tuple | list):
        return type(part)(built(one) for one in part)
    if isinstance(part, dict):
        return {built(key): built(value) for key, value in part.items()}
    model = getattr(part, "__model__", None)  # a class of rows stands for its model
    return part if model is None else model()


def declared(call: Noted) -> dict[str, Any]:
    """What a call was given by name."""
    named: dict[str, Any] = call._parts_[2]
    return named


def root_of(expression: Any) -> tuple[str, tuple[Any, ...]]:
    """The word that an expression begins with, and what it was given: `select`, (Agent,).

    ("", ()) for what was not noted.
    """
    args: tuple[Any, ...] = ()
    while isinstance(expression, Noted):
        if expression._how_ == "word":
            return str(expression._parts_[1]), args
        if expression._how_ == "call":
            args = expression._parts_[1]
        expression = expression._parts_[0]
    return "", ()


def written(expression: Any) -> str:
    """An expression as text, the same in each process; two that differ differ in it.

    "" for one that holds something else than words, classes of rows and plain values.
    """
    try:
        return _Writer().of(expression)
    except _UnwritableError:
        return ""


class _UnwritableError(Exception):
    pass


class _Writer:
    """Writes one expression. What stands in it twice is written once, and then referred to: an
    alias differs from another one that was made in the same way."""

    def __init__(self) -> None:
        self._seen: dict[int, str] = {}

    def of(self, part: Any) -> str:
        """The text of a part. Raises `_UnwritableError`."""
        if part is None or type(part) in (bool, int, float, str):
            return repr(part)
        if isinstance(part, str):
            return repr(str(part))
        if isinstance(part, tuple | list):
            return f"[{','.join(map(self.of, part))}]"
        if isinstance(part, dict):
            return f"{{{','.join(f'{self.of(k)}:{self.of(v)}' for k, v in part.items())}}}"
        seen = self._seen.get(id(part))
        if seen is None:
            self._seen[id(part)] = f"#{len(self._seen)}"
            return self._new(part)
        return seen

    def _new(self, part: Any) -> str:
        if isinstance(part, Noted):
            if part._how_ == "word":
                return str(part._parts_[1])
            table = getattr(part._parts_[0], "__tablename__", None)
            if table is not None:  # its other columns do not matter
                return f"{table}.{part._parts_[1]}"
            return f"{part._how_}({' '.join(map(self.of, part._parts_))})"
        columns = getattr(part, "__columns__", None)
        if not isinstance(columns, tuple):
            raise _UnwritableError
        return f"{part.__tablename__}({' '.join(columns)})"
