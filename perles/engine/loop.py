"""The engine's loop: it steps when something changed, reads what agents print, and sleeps."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from perles.engine.commands.queue import Commands
from perles.engine.services import Services
from perles.engine.steps import Steps
from perles.engine.sweeps.clock_watch import ClockWatch
from perles.store import statements
from perles.store.watching import Watch

TICK: Final = 0.05
"""Seconds between looks at the files of agents and at what other processes committed."""
CALM_SECONDS: Final = 0.25
"""How long a commit that nobody asked to be looked at may wait for the next step."""
QUIET_SECONDS: Final = 5.0
"""How long an engine sleeps when nothing lives and the kernel tells of nothing written."""
SETTLE_SECONDS: Final = 0.3
"""How long after a write its commit is looked for at every tick."""
IDLE_SECONDS: Final = 0.5
START_SECONDS: Final = 5.0
"""How long an engine that ends when idle waits: after work, and for its first work."""


class Wake:
    """What wakes the loop, and what ends it. Safe to make before there is an event loop."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.awake = asyncio.Event()
        self.stopping = asyncio.Event()

    def kick(self) -> None:
        """Have the engine look at once at what can be done."""
        self.changed.set()
        self.awake.set()


class Loop:
    """Runs until somebody stops it, or, where it may, until nothing is left to do."""

    def __init__(
        self,
        context: Services,
        commands: Commands,
        steps: Steps,
        wake: Wake,
        *,
        clock_watch: ClockWatch,
        on_change: Callable[[], None],
        may_end: Callable[[], bool],
    ) -> None:
        self._context = context
        self._commands = commands
        self._steps = steps
        self._wake = wake
        self._clock_watch = clock_watch
        self._on_change = on_change
        self._may_end = may_end

    async def run(self) -> None:
        """Run to its end. Raises `DatabaseError`."""
        watch = self._context.reader.watch(
            self._context.database.path, settle=SETTLE_SECONDS, quiet=QUIET_SECONDS
        )
        try:
            await self._work(watch)
        finally:
            watch.close()

    async def _work(self, watch: Watch) -> None:
        idle_since = time.monotonic() + START_SECONDS
        step_at: float | None = None
        while not self._wake.stopping.is_set():
            await self._clock_watch.look()
            asked = self._wake.changed.is_set()
            if watch.changed() or asked:
                self._wake.changed.clear()
                await self._steps.apart("telling", self._tell)
                self._commands.poll()
                # Most commits are what agents print: those alone give nothing to do at once.
                calm_until = time.monotonic() + (0.0 if asked else CALM_SECONDS)
                step_at = calm_until if step_at is None else min(step_at, calm_until)
            if step_at is not None and time.monotonic() >= step_at:
                step_at = None
                if not await self._steps.take():
                    self._wake.changed.set()
                step_at = self._steps.next_at()
            await self._steps.apart("reading output", self._context.turns.read_all)
            may_end = self._may_end()
            if may_end and not self._is_idle():
                idle_since = time.monotonic() + IDLE_SECONDS
            elif may_end and time.monotonic() > idle_since:
                return
            if may_end or self._context.turns.any_live():
                await self._wait(_until(step_at, TICK))
            else:
                await self._wait_for_a_write(watch, step_at)

    async def _tell(self) -> None:
        self._on_change()

    def _is_idle(self) -> bool:
        has_work = self._context.reader.value(statements.HAS_WORK)
        return not self._commands.is_busy() and not has_work

    async def _wait_for_a_write(self, watch: Watch, until: float | None) -> None:
        """Sleep until the kernel tells that something was written to the database, or `until`.

        A busy engine does not listen: most of what is written then are its own lines.
        """
        loop, fd = asyncio.get_running_loop(), watch.fd

        def hear() -> None:
            watch.hear()
            self._wake.awake.set()

        if fd is not None:
            loop.add_reader(fd, hear)
        try:
            seconds = watch.patience()
            await self._wait(_until(until, seconds))
        finally:
            if fd is not None:
                loop.remove_reader(fd)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.awake.wait()
        except TimeoutError:
            pass  # nothing was asked of us; look at the files and the database again
        self._wake.awake.clear()


def _until(moment: float | None, most: float) -> float:
    """Seconds until a monotonic time, bounded by `most`; `most` where there is none."""
    return most if moment is None else min(most, max(0.0, moment - time.monotonic()))
