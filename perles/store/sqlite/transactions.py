"""Transactions of connections that write: begun at once, with patience, and rolled back aloud."""

import time
from pathlib import Path
from typing import Any, Final

from perles.store.sqlite.backend import BEGIN
from perles.store.sqlite.driver import BUSY_TIMEOUT, dbapi
from perles.store.sqlite.errors import database_error, is_locked

_ASK_MS: Final = 4
"""What SQLite sleeps before it says that the database is locked: 1, 2 and 1 ms."""


def connect(path: Path) -> Any:
    """A bare connection for one who removes rows by hand: keys are not checked on it.

    The caller closes it. Raises the driver's own errors.
    """
    return dbapi.connect(str(path), timeout=BUSY_TIMEOUT, isolation_level=None)


def ask_often(connection: Any) -> None:
    """Have `begin` on this connection ask for the lock every millisecond or two.

    SQLite's own waiting sleeps longer and longer, up to 0.1 s at a time: beside a busy
    writer it misses one gap after the other.
    """
    connection.execute(f"PRAGMA busy_timeout={_ASK_MS}")


def begin(connection: Any, path: Path, patience: float = BUSY_TIMEOUT) -> None:
    """BEGIN IMMEDIATE, asking again for `patience` seconds while another process writes."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute(BEGIN)
            return
        except dbapi.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise database_error(path, error) from error


def roll_back(connection: Any) -> None:
    """End a failed transaction without hiding why it failed."""
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except dbapi.Error as error:
            import logging  # few processes need it

            logging.getLogger(__name__).error("a transaction could not be rolled back: %s", error)
