"""Which process the engine is: by its row and its identity, whatever its lock file says."""

import os
import signal
from pathlib import Path

from perles.domain.errors import EngineRunsError, PerlesError
from perles.executor.contract import Identity
from perles.executor.local.identity import hold, is_alive, release
from perles.store.reads.connection import reading


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
