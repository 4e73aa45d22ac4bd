"""Whether an engine runs for a home folder, how it is, and whether it comes back or goes."""

from __future__ import annotations

import os
import time
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from perles.controlplane.home_folder import HomeFolder
from perles.controlplane.http_address import served_at
from perles.domain.explanations import NO_ENGINE, RESTARTED
from perles.engine import single_instance, watchdog
from perles.store.place import engine_lock
from perles.store.reads import engine
from perles.store.reads.connection import reading

POLL: Final = 0.025
ENGINE_START_SECONDS: Final = 60.0
_RESTART_SECONDS: Final = 8.0 + ENGINE_START_SECONDS
"""How long a watchdog may pause, and its engine then takes."""
_WORK_SECONDS: Final = 0.25
"""Between two looks whether an engine that is to end has something to do again."""


class EngineStatus(HomeFolder):
    """One home folder, and whether an engine works on its database."""

    @cached_property
    def _lead(self) -> single_instance.Lead:
        return single_instance.Lead(self.database_path)

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
