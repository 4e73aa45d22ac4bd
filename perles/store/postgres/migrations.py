"""How migrations reach a server's database: through SQLAlchemy, in one transaction."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from perles.store.postgres import catalog, errors, sessions
from perles.store.postgres.driver import Address
from perles.store.postgres.opening import psycopg
from perles.store.sqlite.errors import database_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection


def is_empty(address: Address) -> bool:
    """Whether no migration has run yet; what others keep there does not count.

    Raises `DatabaseError`.
    """
    with database_errors(address.path), closing(sessions.open_readonly(address)) as session:
        return not catalog.has_table(session, "alembic_version")


def make(address: Address, script: Path) -> None:
    """Carry the script of a new database out in one transaction. Raises `DatabaseError`."""
    with database_errors(address.path), closing(sessions.connect(address)) as session:
        session.begin()
        session.catch_up()
        try:
            session.script(script.read_text())
        except BaseException:
            session.roll_back()
            raise
        session.commit()


@contextmanager
def upgrading(address: Address) -> Iterator[Connection]:
    """A transaction in which migrations run, all of it or nothing; nobody writes meanwhile.

    The caller holds the engine lock. Raises `DatabaseError`. A backup is the server's business.
    """
    with (
        database_errors(address.path),
        closing(sessions.connect(address)) as session,
        _over(session) as made,
    ):
        session.begin()
        session.catch_up()
        try:
            yield made
        except BaseException:
            session.roll_back()
            raise
        session.commit()


@contextmanager
def looking(address: Address) -> Iterator[Connection]:
    """A connection of SQLAlchemy that only reads. Raises `DatabaseError`."""
    with (
        database_errors(address.path),
        closing(sessions.open_readonly(address)) as session,
        _over(session) as made,
    ):
        yield made


@contextmanager
def _over(session: Any) -> Iterator[Connection]:
    """SQLAlchemy on an open session, whose transactions are begun and ended by us.

    Raises the errors of `errors.py`.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: session.raw, poolclass=StaticPool
    )
    try:
        with engine.connect() as made:
            yield made
    except (DBAPIError, psycopg.Error) as error:
        own = error.orig if isinstance(error, DBAPIError) else error
        raise errors.translated(own, session.shown, closed=session.raw.closed) from None
