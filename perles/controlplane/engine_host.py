"""The engine as a process, seen from outside: started, hosted, asked how it is, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane import isolated
from perles.controlplane.home_folder import HomeFolder
from perles.controlplane.http_address import served_at
from perles.domain.errors import (
    DatabaseError,
    EngineRunsError,
    NoEngineError,
    PerlesError,
)
from perles.domain.explanations import NO_ENGINE, RESTARTED
from perles.domain.marks import MARKS
from perles.engine import single_instance, watchdog
from perles.executor.contract import Identity
from perles.executor.local.identity import is_known
from perles.store.place import engine_lock, expect
from perles.store.reads import engine
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from perles.engine.process import Places

POLL: Final = 0.025
_STANDBY_SECONDS: Final = 0.2
"""Between two looks of a standby at the lock."""
_ENGINE_START_SECONDS: Final = 60.0
_RESTART_SECONDS: Final = 8.0 + _ENGINE_START_SECONDS
"""How long a watchdog may pause, and its engine then takes."""
_ROW_SECONDS: Final = 10.0
"""How long who holds the lock has to write its row: an upgrade of the database may come first."""
_WORK_SECONDS: Final = 0.25
"""Between two looks whether an engine that is to end has something to do again."""
_KILL_SECONDS: Final = 20.0
"""How long an engine has to end after it was told to kill its agents."""


class EngineHost(HomeFolder):
    """One home folder, and the engine of its database."""

    _places: Places | None = None
    """Of an engine that stands by."""

    @cached_property
    def _lead(self) -> single_instance.Lead:
        return single_instance.Lead(self.database_path)

    def serve(self, *, exit_when_idle: bool = False) -> None:
        """Host the engine in this process until it is asked to stop. Raises `EngineRunsError`."""
        from perles.engine.process import serve, stand_ready

        self.paths.ensure_home()
        config = self.engine_config()
        if watchdog.own() is not None:
            expect(self.database_path)
        self._upgrade_apart()
        places, self._places = self._places, None
        if places is not None:
            places = stand_ready(config, places)
        try:
            serve(
                self.paths,
                config,
                exit_when_idle=exit_when_idle,
                load_config=self.engine_config,
                places=places,
            )
        finally:
            if places is not None:  # who stands by again needs others: these may have served
                places.executor.close()

    def stand_by(self, tell: Callable[[str], None]) -> None:
        """Wait until no engine leads. `tell` is given what is waited for, each time it changes.

        All that `serve` needs is ready before. A server that cannot be reached is waited out.
        Raises `UsageError`.
        """
        from perles.engine.process import stand_ready

        self._places = stand_ready(self.engine_config(), self._places)
        lock, told = engine_lock(self.database_path), ""
        while True:
            try:
                waits = "standing by: an engine leads" if lock.is_held() else ""
            except DatabaseError as error:
                waits = str(error)
            if not waits:
                lock.release()
                return
            if waits != told:
                tell(waits)
                told = waits
            time.sleep(_STANDBY_SECONDS)

    def _upgrade_apart(self) -> None:
        """Upgrade the database in a process of its own.

        Alembic would cost the engine 14 MiB for as long as it lives. What goes
        wrong there, the engine meets again and tells.
        """
        from perles.store import migrate

        path = self.database_path
        if self.engine_runs() or migrate.is_current(path) or migrate.is_made_at_once(path):
            return
        command = isolated.command("perles", "db", "upgrade")
        subprocess.run(command, env=self.environ(), capture_output=True, check=False)

    def environ(self) -> dict[str, str]:
        """The environment for a process of ours that works on this home.

        An engine that an agent's command brings up is not that agent's: it does not end with it.
        """
        ours = {name: value for name, value in os.environ.items() if name not in MARKS}
        config = ours.get("PERLES_CONFIG")
        found = isolated.environment(ours) | {"PERLES_HOME": str(self.paths.root)}
        return found | ({"PERLES_CONFIG": os.path.abspath(config)} if config else {})

    def engine_runs(self) -> bool:
        """Whether an engine holds this database now."""
        return engine_lock(self.database_path).is_held()

    def is_attended(self) -> bool:
        """Whether an engine runs, or takes its lock again, or its watchdog starts one that died."""
        if self.engine_runs():
            self._lead.held()
            return True
        # Between the two looks it may have come up.
        return (
            watchdog.watches(self.paths.root) is not None
            or self._lead.comes_back()
            or self.engine_runs()
        )

    def engine_comes_back(self) -> bool:
        """Whether an engine runs, once one that is about to be started again has come up."""
        deadline = time.monotonic() + _RESTART_SECONDS
        while not self.engine_runs():
            if not self.is_attended() or time.monotonic() > deadline:
                return self.engine_runs()
            time.sleep(POLL)
        return True

    def engine_status(self) -> dict[str, Any] | None:
        """The engine that runs now, in the shape of `engine status --json`; None when none does.

        One that is coming up and has not told yet who it is counts as none.
        """
        if not self.engine_runs():
            return None
        with reading(self.database_path) as connection:
            status = engine.engine_status(connection)
            trouble = None if connection is None else engine.trouble(connection)
        if status is None:
            return None
        is_here = status["host"] == os.uname().nodename
        memory = _resident(status["pid"]) if is_here else None
        if is_here and not memory:
            return None  # that was the one before, which was killed
        status["trouble"] = trouble
        status["memory_bytes"] = memory
        status["http"] = served_at(self.paths.root)
        return status

    def engine_trouble(self) -> str | None:
        """What keeps the engine that runs from its work, such as a full disk; None where nothing.

        Also None where none runs, or it is being started again: `engine_runs` tells that.
        """
        with reading(self.database_path) as connection:
            found = None if connection is None else engine.trouble(connection)
        return None if found in (NO_ENGINE, RESTARTED) else found

    def reconcile(self) -> None:
        """Do what an engine does when it starts, where none runs: adopt, finish, lose, clean up."""
        from perles.engine.process import run_errand

        run_errand(self.paths, self.engine_config(), frozenset())

    def ensure_engine(self, *, exit_when_idle: bool = True) -> bool:
        """Make sure that an engine runs; return whether this call started it.

        The one it starts is a process of its own, which outlives its caller, is started
        again where it is killed, and, with `exit_when_idle`, ends when nothing runs or
        waits. Without, one that runs already is told to stay. Raises `PerlesError` when
        it does not come up.
        """
        while self.engine_comes_back():
            if exit_when_idle or self._has_agreed_to_stay():
                return False
        self.engine_config()
        _ = self._database
        log = self.paths.engine_log()
        command = isolated.command("perles", "serve", "--foreground")
        with log.open("ab") as output:
            child = subprocess.Popen(
                watchdog.command(command, idle="--exit-when-idle" if exit_when_idle else ""),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environ(),
                cwd=self.paths.root,
                start_new_session=True,
            )
        deadline = time.monotonic() + _ENGINE_START_SECONDS
        while time.monotonic() < deadline:
            if child.poll() == EngineRunsError.exit_code and not self.engine_runs():
                return self.ensure_engine(exit_when_idle=exit_when_idle)  # that one has ended
            if child.poll() is not None:
                return self._engine_came_up_elsewhere(log)
            status = self.engine_status()
            if status is not None and watchdog.of_engine(status["pid"]) == child.pid:
                child.returncode = 0  # it outlives us: nothing to wait for
                return True
            time.sleep(POLL)
        raise PerlesError(f"cannot start the engine: it takes too long; see {log}")

    def _has_agreed_to_stay(self) -> bool:
        """Tell the engine that runs to stay when idle; False where it ended instead."""
        from perles.domain.commands import Stay
        from perles.workflows.commands import append_for_engine

        command_id = self._database.write(lambda tx: append_for_engine(tx, Stay()))
        while self.engine_runs():
            with reading(self.database_path) as connection:
                status = engine.command(connection, command_id)["status"]
            if status == "succeeded":
                return True
            if status in ("failed", "rejected"):
                raise PerlesError(
                    "cannot keep the running engine when it is idle: see perles engine logs"
                )
            time.sleep(POLL)
        return False

    def _engine_came_up_elsewhere(self, log: Path) -> bool:
        """Two that start at once: one wins, and serves both."""
        if self.engine_runs():
            return False
        said = log.read_text(errors="replace").strip().splitlines()
        why = said[-1] if said else "it ended at once"
        if engine.is_full(self.paths.root):
            why = f"the disk of {self.paths.root} is full; make room there"
        raise PerlesError(f"cannot start the engine: {why}")

    def stop_engine(self, *, timeout: float = 60.0, leave_agents: bool = False) -> int:
        """Stop the engine, pausing what runs; its pid. Raises `NoEngineError`, `PerlesError`.

        With `leave_agents` the agents work on, and the next engine goes on with them. An agent
        may not do this: `PersonNeededError`.
        """
        self.need_person("stop the engine")
        self._stop_pausing_watchdog()
        engine = self._engine()
        if engine is None:
            raise NoEngineError
        single_instance.send(engine, signal.SIGUSR1 if leave_agents else signal.SIGTERM)
        if not self._has_ended(engine, timeout):
            raise _still_runs(engine)
        return engine.pid

    def _stop_pausing_watchdog(self) -> None:
        """End a watchdog that waits to start its engine again."""
        if not self.engine_runs() and (dog := watchdog.watches(self.paths.root)) is not None:
            watchdog.end(dog)
            (self.paths.root / watchdog.FILE).unlink(missing_ok=True)

    def shutdown(self, timeout: float = 60.0) -> None:
        """Stop the engine. Running workflows are paused and can be resumed later.

        Agents that need longer than `timeout` to end are killed. Raises `PerlesError`
        when even that does not end the engine, `PersonNeededError` for an agent.
        """
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

    def wait_for_idle_engine(self, seconds: float) -> bool:
        """Wait for an engine that ends when idle; whether it ended in that time."""
        deadline = time.monotonic() + seconds
        ask_at = 0.0
        while self.engine_runs():
            now = time.monotonic()
            if now > deadline:
                return False
            if now >= ask_at:
                ask_at = now + _WORK_SECONDS
                if self._has_work():
                    return False
            time.sleep(POLL)
        return True

    def _has_work(self) -> bool:
        with reading(self.database_path) as connection:
            return engine.has_work(connection)


def _resident(pid: int) -> int | None:
    """Resident memory of a process in bytes; None when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _still_runs(engine: Identity) -> PerlesError:
    pid, dog = engine.pid, watchdog.of_engine(engine.pid)
    pids = pid if dog is None else f"{dog} {pid}"
    return PerlesError(f"cannot stop the engine: pid {pid} still runs; kill -9 {pids}")
