"""Ends the engine of a home folder, and says where it cannot be ended."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from perles.controlplane.engine_status import POLL, EngineStatus
from perles.domain.duration import is_seconds
from perles.domain.errors import NoEngineError, PerlesError, UsageError
from perles.engine import single_instance, watchdog
from perles.executor.local.identity import is_known
from perles.store.place import engine_lock

if TYPE_CHECKING:
    from perles.executor.contract import Identity

_ROW_SECONDS: Final = 10.0
"""How long who holds the lock has to write its row: an upgrade of the database may come first."""
_KILL_SECONDS: Final = 20.0
"""How long an engine has to end after it was told to kill its agents."""


class EngineStop(EngineStatus):
    """One home folder, whose engine can be ended."""

    def stop_engine(self, *, timeout: float = 60.0, leave_agents: bool = False) -> int:
        """Stop the engine, pausing what runs; its pid. Raises `NoEngineError`, `PerlesError`.

        With `leave_agents` the agents work on, and the next engine goes on with them. An agent
        may not do this: `PersonNeededError`.
        """
        need_seconds(timeout)
        self.need_person("stop the engine")
        self._stop_pausing_watchdog()
        engine = self._engine()
        if engine is None:
            raise NoEngineError
        single_instance.send(engine, signal.SIGUSR1 if leave_agents else signal.SIGTERM)
        if not self._has_ended(engine, timeout):
            raise _still_runs(engine)
        return engine.pid

    def shutdown(self, timeout: float = 60.0) -> None:
        """Stop the engine. Running workflows are paused and can be resumed later.

        Agents that need longer than `timeout` to end are killed. Raises `PerlesError`
        when even that does not end the engine, `PersonNeededError` for an agent.
        """
        need_seconds(timeout)
        self.need_person("stop the engine")
        self._stop_pausing_watchdog()
        engine = self._engine()
        if engine is None:
            return
        single_instance.send(engine, signal.SIGTERM)
        if not self._has_ended(engine, timeout):
            single_instance.send(engine, signal.SIGTERM)
            if not self._has_ended(engine, _KILL_SECONDS):
                raise _still_runs(engine)

    def _stop_pausing_watchdog(self) -> None:
        """End a watchdog that waits to start its engine again."""
        if not self.engine_runs() and (dog := watchdog.watches(self.paths.root)) is not None:
            watchdog.end(dog)
            (self.paths.root / watchdog.FILE).unlink(missing_ok=True)

    def _engine(self) -> Identity | None:
        """The engine's process, which may be just starting; None where none runs.

        By its row: what the lock file says, anybody may have written. Raises `PerlesError`
        where the lock is held by somebody else.
        """
        lock = engine_lock(self.database_path)
        deadline = time.monotonic() + _ROW_SECONDS
        while True:
            found = single_instance.find(self.database_path)
            if found is not None or not lock.is_held():
                return found
            if time.monotonic() > deadline:
                raise PerlesError(
                    f"cannot stop the engine: what holds {lock.path} is not the engine of this "
                    f"database, or of an older perles; find it: fuser {lock.path}"
                )
            time.sleep(POLL)

    def _has_ended(self, engine: Identity, seconds: float) -> bool:
        """Wait for this engine to be gone and its lock free; whether it was in that time."""
        lock = engine_lock(self.database_path)
        deadline = time.monotonic() + seconds
        while True:
            found = single_instance.find(self.database_path)
            # Its last thread frees the lock: when the first is a zombie, it may still be held.
            dying = found is None and lock.is_held() and is_known(engine)
            if found != engine and not dying:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)


def need_seconds(timeout: object) -> None:
    """Raise `UsageError`, before anything is done, for what is no number of seconds."""
    if not is_seconds(timeout):
        raise UsageError(f"cannot stop the engine with timeout={timeout!r}: it is seconds")


def _still_runs(engine: Identity) -> PerlesError:
    pid, dog = engine.pid, watchdog.of_engine(engine.pid)
    pids = pid if dog is None else f"{dog} {pid}"
    return PerlesError(f"cannot stop the engine: pid {pid} still runs; kill -9 {pids}")
