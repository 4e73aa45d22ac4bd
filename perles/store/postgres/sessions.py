"""Sessions of the server that a home's database is on."""

from __future__ import annotations

import time
from typing import Final

from perles.domain.errors import DatabaseError
from perles.store.postgres.driver import PATIENCE, PAUSE, WRITE, Address, Connection
from perles.store.postgres.errors import STARTS, LostConnectionError

ENGINE: Final = "perles engine"
"""The name of the sessions on which an engine writes."""
_END: Final = (
    "SELECT pg_terminate_backend(a.pid) "  # noqa: S608 - constants
    "FROM pg_stat_activity a WHERE a.application_name = ? "
    "AND a.datname = current_database() AND a.pid <> pg_backend_pid() AND EXISTS ("
    "SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' "
    f"AND l.classid = {WRITE} AND l.objid = (hashtext(current_schema())::bigint & 4294967295))"
)
_approved: set[str] = set()
_reached: set[str] = set()
"""What this process had a session of, or who started it."""


def connect(
    address: Address,
    *,
    application: str = "perles",
    patience: float = PATIENCE,
    epoch: int | None = None,
) -> Connection:
    """A session that may write; with an `epoch`, for as long as that engine leads.

    Raises the errors of `errors.py`, and `DatabaseError`.
    """
    if epoch is not None:
        made = _opened(address, ENGINE, patience, reads_only=False)
        made.epoch = epoch
        return made
    return _opened(address, application, patience, reads_only=False)


def open_readonly(address: Address, *, patience: float = PATIENCE) -> Connection:
    """A session that can only read."""
    return _opened(address, "perles reader", patience, reads_only=True)


def _opened(address: Address, application: str, patience: float, *, reads_only: bool) -> Connection:
    until = time.monotonic() + patience
    while True:
        try:
            made = Connection(
                address, application=application, reads_only=reads_only, patience=patience
            )
            break
        except LostConnectionError as error:
            # A server that was there comes back; one that never was is told of at once.
            comes = address.url in _reached or error.sqlstate == STARTS
            if not comes or time.monotonic() > until:
                raise
            time.sleep(PAUSE)
    _reached.add(address.url)
    if made.has_pooler and address.url not in _approved:
        try:
            _refuse_pooled_transactions(made)
        except BaseException:
            made.close()
            raise
        _approved.add(address.url)
    return made


def expect(address: Address) -> None:
    """Wait for a server that cannot be reached, as for one that was reached before."""
    _reached.add(address.url)


def end_engines(address: Address) -> None:
    """End sessions of engines that lead no more and that write, or wait to."""
    session = connect(address)
    try:
        session.execute(_END, (ENGINE,))
    finally:
        session.close()


def _refuse_pooled_transactions(made: Connection) -> None:
    """Raise `DatabaseError` behind a pooler that gives a server session to each transaction.

    Locks and NOTIFY belong to a session. Such a pooler gives a free session to the next one who
    asks, so a second connection meets the one that the first has just used, unless somebody else
    was quicker: it is looked at three times.
    """
    other = Connection(made.address)
    try:
        met = [made.backend() == other.backend() for _ in range(3)]
    finally:
        other.close()
    if any(met):
        raise DatabaseError(
            f"cannot use database {made.shown}: a pooler in transaction mode is before the "
            "server; connect to the server itself, or set pool_mode = session"
        )
