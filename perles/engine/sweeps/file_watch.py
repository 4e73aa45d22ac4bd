"""Sees that the engine works on the files that everybody else sees.

A file that is deleted, moved or replaced lives on for a process that has it open: the engine
would work to its end, and all of it would be lost.
"""

from collections.abc import Callable
from pathlib import Path

from perles.domain.errors import DatabaseError, EngineRunsError, PerlesError
from perles.engine.context import Context, log
from perles.store.sqlite.engine_lock import EngineLock

_File = tuple[int, int]


class FileWatch:
    """Compares the engine's files with those of their names, at each heartbeat."""

    def __init__(
        self, context: Context, lock: EngineLock, give_up: Callable[[PerlesError], None]
    ) -> None:
        """`give_up` is called with why the engine must pause what runs and end."""
        self._context = context
        self._lock = lock
        self._give_up = give_up
        self._database = context.database.path
        self._wal = self._database.with_name(self._database.name + "-wal")
        self._opened = _file(self._database)
        self._written = _file(self._wal)
        self._lost_lock = False

    def look(self) -> None:
        """Look once. A lock that was deleted is made again; for the rest there is no remedy."""
        if _file(self._database) != self._opened:
            self._end(f"the database {self._database} was deleted, moved or replaced", _WORKED_ON)
        elif self._written is not None and _file(self._wal) != self._written:
            # What is in it goes into the database while we are the ones who have it.
            self._context.reader.take_over_log()
            self._end(f"{self._wal}, a part of the database, was deleted or replaced", _SAVED)
        else:
            self._written = _file(self._wal)
            self._keep_lock()

    def _end(self, what: str, advice: str) -> None:
        self._give_up(DatabaseError(f"cannot go on: {what} while the engine ran; {advice}"))

    def _keep_lock(self) -> None:
        try:
            made = self._lock.keep()
        except EngineRunsError as error:
            # A second engine holds it for a moment, until it sees our row.
            if self._lost_lock:
                self._give_up(error)
            self._lost_lock = True
        except DatabaseError as error:
            log.error("%s", error)
        else:
            self._lost_lock = False
            if made:
                log.warning("%s", self._lock.LOST)


_WORKED_ON = (
    "what runs is paused; put the file back, or start anew: what was done since is not in another"
)
_SAVED = "what runs is paused and what was committed is saved; start the engine again"


def _file(path: Path) -> _File | None:
    """Which file has this name now; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
