"""What all rows have in common.

A class of rows declares its columns as a model of SQLAlchemy does, and is one to a type checker.
What a program holds are bare objects with those attributes: models, which know what changed in
them, cost twenty times as much to make, and SQLAlchemy itself half a second to import.
`perles.store.schema.tables` makes the models, for the migrations and for statements to compile.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from perles.domain.states import Rules
from perles.store.expressions import (
    BigInteger,
    CheckConstraint,
    Integer,
    Mapped,
    Noted,
    declared,
    text,
)

Key = BigInteger().with_variant(Integer, "sqlite")
"""All whole numbers: SQLite has one kind, of eight bytes."""
IDS_ONCE = {"sqlite_autoincrement": True}
"""For tables whose ids somebody remembers: the id of a row that is gone is never given again."""

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase

    class Base(DeclarativeBase):
        """The registry of all tables."""

        __columns__: ClassVar[tuple[str, ...]]
        """The names of its columns."""
        __key__: ClassVar[str | None]
        """The column that is its primary key; None where several are."""

else:

    class _Rows(type):
        """The class of the classes of rows: takes their columns out, and gives them noted."""

        def __new__(cls, name, bases, space):
            columns = {k: v for k, v in space.items() if isinstance(v, Noted)}
            bare = {k: v for k, v in space.items() if k not in columns}
            made = super().__new__(cls, name, bases, bare)
            made.__declared__ = columns
            rooms = [*(one for one in bases if not isinstance(one, _Rows)), made]
            made.__columns__ = tuple(name for one in rooms for name in one.__annotations__)
            keys = [k for k, v in columns.items() if declared(v).get("primary_key")]
            made.__key__ = keys[0] if len(keys) == 1 else None
            return made

        def __getattr__(cls, name):
            if name in cls.__columns__ or name == "__table__":
                return Noted("attribute", cls, name)
            raise AttributeError(name)

        def __model__(cls):
            # By its name: that module makes models of what inherits from this one.
            return import_module("perles.store.schema.tables").MODELS[cls]

        def __clause_element__(cls):
            return cls.__model__().__table__

    class Base(metaclass=_Rows):
        """The base of all classes of rows."""

        def __init__(self, **values):
            unknown = values.keys() - set(self.__columns__)
            if unknown:
                raise TypeError(f"no column {min(unknown)!r} in {self.__tablename__}")
            self.__dict__.update(dict.fromkeys(self.__columns__) | values)


def where(condition: str) -> dict[str, Any]:
    """Which rows a partial index has."""
    return {f"{dialect}_where": text(condition) for dialect in ("sqlite", "postgresql")}


class Dated:
    """A row that says when it was made and last changed."""

    created_at: Mapped[str]
    updated_at: Mapped[str]


def one_of(column: str, words: tuple[str, ...], *, null: bool = False) -> CheckConstraint:
    """A constraint: the column holds one of these words."""
    listed = ", ".join(f"'{word}'" for word in words)
    rule = f"{column} IN ({listed})"
    return CheckConstraint(f"{column} IS NULL OR {rule}" if null else rule, name=column)


def state_of(rules: Rules[Any], column: str) -> CheckConstraint:
    """A constraint: the column holds a state of these rules."""
    return one_of(column, rules.states)


def not_negative(column: str) -> CheckConstraint:
    """A constraint: the column holds no number below 0."""
    return CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative")
