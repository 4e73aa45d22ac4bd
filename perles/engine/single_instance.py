"""Which process the engine is: by its row and its identity, whatever its lock file says."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from perles.domain.errors import EngineRunsError, PerlesError
from perles.executor.contract import Identity
from perles.executor.local.identity import hold, is_alive, release
from perles.store.place import url_of
from perles.store.reads.connection import reading

RETURN_SECONDS: Final = 10.0
"""How long an engine has to take its lock again, which is not seen to live: two heartbeats."""


def find(path: Path) -> Identity | None:
    """The live engine of the database at `path`; None where none lives on this machine.

    One of a release that did not yet tell which process it is counts as none. Raises
    `DatabaseError`.
    """
    with reading(path) as connection:
        if connection is None:
            return None
        row = connection.execute("SELECT * FROM engine WHERE id = 1").fetchone()
    if row is None or row["ended_at"] or row["host"] != os.uname().nodename:
        return None
    if "start_ticks" not in row.keys() or row["start_ticks"] is None:  # noqa: SIM118 - a Row
        return None
    identity = Identity(row["pid"], row["start_ticks"], row["boot_id"])
    return identity if is_alive(identity) else None


class Lead:
    """Whether an engine whose lock is free lives on, as one does whose session its server cut.

    It takes the lock again at its next heartbeat.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free_since: float | None = None

    def held(self) -> None:
        """Told that the lock is held."""
        self._free_since = None

    def comes_back(self) -> bool:
        """Whether the engine that led last may take the lock again. Raises `DatabaseError`.

        One in another process of this machine is looked for, where a server may have cut its
        session. One of another machine is given `RETURN_SECONDS`; so is one whose process lives
        on without it, as a program does whose own engine failed.
        """
        found, on_server = find(self._path), url_of(self._path) is not None
        if found is not None and found.pid != os.getpid() and on_server:
            return True
        if found is None and not (on_server and self._leads_elsewhere()):
            return False
        now = time.monotonic()
        self._free_since = now if self._free_since is None else self._free_since
        return now - self._free_since < RETURN_SECONDS

    def _leads_elsewhere(self) -> bool:
        with reading(self._path) as connection:
            if connection is None:
                return False
            query = "SELECT host FROM engine WHERE id = 1 AND ended_at IS NULL"
            row = connection.execute(query).fetchone()
        return row is not None and row["host"] != os.uname().nodename


def refuse_second(path: Path) -> None:
    """Raise `EngineRunsError` where another process is the engine although it holds no lock."""
    other = find(path)
    if other is not None and other.pid != os.getpid():
        raise EngineRunsError(other.pid)


def send(identity: Identity, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; whether it was still there.

    Raises `PerlesError` for another user's.
    """
    held = hold(identity)
    if held is None:
        return False
    try:
        signal.pidfd_send_signal(held, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise PerlesError(
            f"cannot stop the engine: pid {identity.pid} is another user's; ask them, or be "
            "that user"
        ) from error
    finally:
        release(held)
    return True
