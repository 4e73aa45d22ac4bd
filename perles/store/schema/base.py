"""What all rows have in common."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped

from perles.domain.states import Rules

Key = BigInteger().with_variant(Integer, "sqlite")
IDS_ONCE = {"sqlite_autoincrement": True}
"""For tables whose ids somebody remembers: the id of a row that is gone is never given again."""


class Base(DeclarativeBase):
    """The registry of all tables, with names for their constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text}  # noqa: RUF012 - SQLAlchemy reads it off the class


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
