"""Sessions of the server that a home's database is on."""

from __future__ import annotations

from perles.domain.errors import DatabaseError
from perles.store.postgres.driver import PATIENCE, Address, Connection

_approved: set[str] = set()


def connect(
    address: Address, *, application: str = "perles", patience: float = PATIENCE
) -> Connection:
    """A session that may write. Raises the errors of `errors.py`, and `DatabaseError`."""
    return _opened(address, application, patience, reads_only=False)


def open_readonly(address: Address, *, patience: float = PATIENCE) -> Connection:
    """A session that can only read."""
    return _opened(address, "perles reader", patience, reads_only=True)


def _opened(address: Address, application: str, patience: float, *, reads_only: bool) -> Connection:
    made = Connection(
        address,
        application=application,
        reads_only=reads_only,
        patience=patience,
    )
    if made.has_pooler and address.url not in _approved:
        try:
            _refuse_pooled_transactions(made)
        except BaseException:
            made.close()
            raise
        _approved.add(address.url)
    return made


def _refuse_pooled_transactions(made: Connection) -> None:
    """Raise `DatabaseError` behind a pooler that gives a server session to each transaction.

    Locks and NOTIFY belong to a session. Such a pooler gives a free session to the next one who
    asks, so a second connection meets the one that the first has just used.
    """
    other = Connection(made.address)
    try:
        mine = made.execute("SELECT pg_backend_pid()").fetchone()[0]
        theirs = other.execute("SELECT pg_backend_pid()").fetchone()[0]
    finally:
        other.close()
    if mine == theirs:
        raise DatabaseError(
            f"cannot use database {made.shown}: a pooler in transaction mode is before the "
            "server; connect to the server itself, or set pool_mode = session"
        )
