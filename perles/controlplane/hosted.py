"""The engine in a thread of a program that asked for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from perles.domain.errors import EngineRunsError, PerlesError

if TYPE_CHECKING:
    from perles.config.home import Paths
    from perles.config.model import Config
    from perles.engine.engine import Engine

_START_SECONDS = 60.0
_KILL_SECONDS = 20.0


class HostedEngine:
    """An engine with a thread and an event loop of its own, in this process."""

    def __init__(self, paths: Paths, load_config: Callable[[], Config]) -> None:
        self._paths = paths
        self._load_config = load_config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="perles-engine", daemon=True)

    def start(self, serves: Callable[[], bool]) -> bool:
        """Bring it up; False where another engine was quicker. `serves` tells that one does.

        Raises what keeps it from coming up.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_START_SECONDS / 0.02)):
            if not self._thread.is_alive():
                if isinstance(self._error, EngineRunsError):
                    return False
                raise PerlesError(f"cannot start the engine: {self._error}") from self._error
            if serves():
                return True
            waited.wait(0.02)
        raise PerlesError("cannot start the engine: it takes too long")

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def stop(self, timeout: float, *, leave_agents: bool = False) -> None:
        """End it: what runs is paused; agents that need longer than `timeout` are killed.

        Raises `PerlesError` where even that does not end it, and what it ended with.
        """
        engine, loop = self._engine, self._loop
        if engine is None or loop is None or not self._thread.is_alive():
            return
        _call(loop, lambda: engine.stop(leave_agents=leave_agents))
        self._thread.join(timeout)
        if self._thread.is_alive():
            _call(loop, engine.hurry)
            self._thread.join(_KILL_SECONDS)
        if self._thread.is_alive():
            raise PerlesError("cannot stop the engine in this process: it does not end")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told by `start` or `stop`
            self._error = error

    async def _serve(self) -> None:
        from perles.engine.engine import Engine
        from perles.executor.local.executor import LocalExecutor

        self._loop = asyncio.get_running_loop()
        self._engine = Engine(
            self._paths,
            self._load_config(),
            executor=LocalExecutor(),
            load_config=self._load_config,
        )
        await self._engine.run()


def _call(loop: asyncio.AbstractEventLoop, work: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        pass  # its loop has just been closed: it ended by itself
