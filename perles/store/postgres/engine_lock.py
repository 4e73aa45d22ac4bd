"""The lock that makes one engine per database of a server: an advisory lock of a session.

The server frees it when that session ends, however its process dies. Who takes it to lead
raises the epoch, and ends what the leader before has still open: see `leadership.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import DatabaseError, EngineRunsError
from perles.store.postgres import sessions
from perles.store.postgres.driver import Address
from perles.store.sqlite.engine_lock import EngineLock
from perles.store.sqlite.errors import database_errors

if TYPE_CHECKING:
    from perles.store.postgres.driver import Connection

LEAD: Final = 0x6C656164
"""The class of the lock that the leader's session holds; the schema is its number."""
PID_FILE: Final = "perles.server.lock"
"""Beside the home's other files: the pid of the engine that leads from here."""
_PATIENCE: Final = 2.0
"""Seconds in which a session that was cut is opened again: the engine stands still meanwhile."""
_TRY: Final = f"SELECT pg_try_advisory_lock({LEAD}, hashtext(current_schema()))"
_SESSION: Final = "perles engine lock"
"""The name of the session that holds the lock, before the pid of its process."""
_OURS: Final = (
    "locktype = 'advisory' AND granted "  # noqa: S608 - constants
    f"AND classid::bigint = {LEAD} AND objid::bigint = hashtext(current_schema())::bigint "
    "& 4294967295 AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_HELD: Final = f"SELECT 1 FROM pg_locks WHERE {_OURS}"  # noqa: S608 - constants
_HOLDER: Final = (
    "SELECT application_name FROM pg_stat_activity "  # noqa: S608 - constants
    f"WHERE pid IN (SELECT pid FROM pg_locks WHERE {_OURS})"
)


class ServerLock(EngineLock):
    """The engine lock of a server's database. Free it with `release`, or use it as a context."""

    LOST = "the session that held the engine's lock was cut; the lock is taken again"

    def __init__(self, address: Address, looker: Any = None) -> None:
        """With a connection to look by, which stays its owner's."""
        self.path = Path(address.path)
        self._pid_file = self.path.with_name(PID_FILE)
        self._address = address
        self._session: Connection | None = None
        self._given = looker
        self._looker: Connection | None = None

    def acquire(self) -> None:
        """Take the lock, or raise `EngineRunsError` at once. Raises `DatabaseError`."""
        with database_errors(self.path):
            self._session = self._lead()
        self._tell_pid()

    def _tell_pid(self) -> None:
        """Say who leads to the keeper of this home's ports, which lets nobody else in."""
        draft = self._pid_file.with_name(f"{PID_FILE}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(f"{os.getpid()}\n")
            draft.replace(self._pid_file)
        except OSError as error:
            raise DatabaseError(
                f"cannot write {self._pid_file}: {error.strerror}; "
                "check that you may write its folder, and that there is space"
            ) from error

    def _names_us(self) -> bool:
        """Whether nobody leads from here since."""
        try:
            return self._pid_file.read_bytes().strip() == b"%d" % os.getpid()
        except OSError:
            return False

    def _lead(self) -> Connection:
        session = sessions.connect(
            self._address, application=f"{_SESSION} {os.getpid()}", patience=_PATIENCE
        )
        try:
            if not session.execute(_TRY).fetchone()[0]:
                raise EngineRunsError(_holder(session))
        except BaseException:
            session.close()
            raise
        return session

    def keep(self) -> bool:
        """See that the lock is still held; whether it had to be taken anew.

        The session may have been cut. Raises what `acquire` raises.
        """
        held = self._session
        assert held is not None, "only a holder keeps"
        with database_errors(self.path):
            if held.execute(f"{_HELD} AND pid = pg_backend_pid()").fetchone() is not None:
                return False
            # The session was cut, and opened again: who leads now is who takes the lock.
            if not held.execute(_TRY).fetchone()[0]:
                raise EngineRunsError(self.holder())
        self._tell_pid()
        return True

    def release(self) -> None:
        """Free the lock; nothing happens when it is not held."""
        if self._session is not None:
            if self._names_us():
                self._pid_file.unlink(missing_ok=True)
            self._session.let_go()
        if self._looker is not None:
            self._looker.close()
        self._session = self._looker = None

    def is_held(self) -> bool:
        """Whether some process, this one or another, holds the lock now."""
        with database_errors(self.path):
            return self._look().execute(_HELD).fetchone() is not None

    def _look(self) -> Any:
        if self._given is not None:
            return self._given
        if self._looker is None:
            self._looker = sessions.open_readonly(self._address)
        return self._looker

    def holder(self) -> int | None:
        """The pid of the process that holds the lock, on whichever machine; None where none is
        told."""
        with database_errors(self.path):
            return _holder(self._look())


def _holder(session: Any) -> int | None:
    """The pid in the name of the session that holds the lock: a role is shown its own alone."""
    row = session.execute(_HOLDER).fetchone()
    words = str(row[0] or "").split(" ") if row is not None else [""]
    return int(words[-1]) if words[-1].isdecimal() else None
