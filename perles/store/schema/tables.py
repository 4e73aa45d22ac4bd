"""All tables at once, as models of SQLAlchemy: to compare them with a database, and to compile
statements. Importing this imports SQLAlchemy."""

from typing import Any, Final

from sqlalchemy import BigInteger, Computed, Double, Integer, MetaData, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase

from perles.store.expressions import built
from perles.store.schema import (
    access,
    agents,
    engine,
    fabric,
    journal,
    leadership,
    nodes,
    questions,
    resources,
    tasks,
    workflows,
)
from perles.store.schema.base import Base

ROOMS: Final = (
    *(access, agents, engine, fabric, journal, leadership, nodes),
    *(questions, resources, tasks, workflows),
)
"""The modules whose rows make up the database: importing them makes their tables known."""


class Models(DeclarativeBase):
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
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it off the class
        # Sorted and compared by their bytes, as SQLite does it.
        str: Text().with_variant(Text(collation="C"), "postgresql"),
        # SQLite has one kind of whole numbers, of eight bytes.
        int: BigInteger().with_variant(Integer, "sqlite"),
        float: Double,
    }


@compiles(Computed, "postgresql")
def _computed(column: Computed, compiler: Any, **kw: Any) -> str:
    """A computed column is stored there: older servers have no other ones."""
    return f"GENERATED ALWAYS AS ({compiler.sql_compiler.process(column.sqltext, **kw)}) STORED"


def _model(rows: Any) -> type[Models]:
    """The model that a class of rows declares; what it inherits comes behind its own columns."""
    rooms = [one for one in reversed(rows.__mro__) if one not in (object, Base)]
    annotations = {k: v for one in reversed(rooms) for k, v in one.__annotations__.items()}
    space = {
        "__tablename__": rows.__tablename__,
        "__table_args__": built(getattr(rows, "__table_args__", ())),
        "__annotations__": built(annotations),
        "__module__": __name__,
        "__doc__": rows.__doc__,
        **built(rows.__declared__),
    }
    return type(rows.__name__, (Models,), space)


MODELS: Final[dict[Any, type[Models]]] = {rows: _model(rows) for rows in Base.__subclasses__()}
"""The model of each class of rows."""
METADATA: Final[MetaData] = Models.metadata
