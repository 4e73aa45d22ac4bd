"""Starts the engine of a home folder, hosts it in this process, or waits to take over."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perles.controlplane import isolated
from perles.controlplane.engine_status import ENGINE_START_SECONDS, POLL
from perles.controlplane.engine_stop import EngineStop
from perles.domain.errors import DatabaseError, EngineRunsError, PerlesError
from perles.domain.marks import MARKS
from perles.engine import watchdog
from perles.store.place import engine_lock, expect
from perles.store.reads import engine
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from perles.engine.process import Places

_STANDBY_SECONDS: Final = 0.2
"""Between two looks of a standby at the lock."""


class EngineHost(EngineStop):
    """One home folder, and the engine of its database."""

    _places: Places | None = None
    """Of an engine that stands by."""

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
        deadline = time.monotonic() + ENGINE_START_SECONDS
        while time.monotonic() < deadline:
            if child.poll() == EngineRunsError.exit_code or (child.poll() and self.engine_runs()):
                # Another one came up first: it serves both, or has ended by now.
                return self.ensure_engine(exit_when_idle=exit_when_idle)
            if child.poll() is not None:
                raise PerlesError(f"cannot start the engine: {self._why_it_ended(log)}")
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

    def _why_it_ended(self, log: Path) -> str:
        """Why an engine that was to come up did not."""
        if engine.is_full(self.paths.root):
            return f"the disk of {self.paths.root} is full; make room there"
        said = log.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "it ended at once"
