"""The engine's regular jobs, on APScheduler: a handful of sweeps, never a job per workflow.

They come by elapsed time. APScheduler reckons in dates: when the clock is set ahead it
lists every run that was missed, and when it is set back nothing is due for so long. So no
job has a date of its own: it is parked, and made due when its time has passed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from perles.engine.context import Context, log
from perles.engine.resources.audit import audit_leases
from perles.engine.sweeps import heartbeat
from perles.store import statements

Sweep = Callable[[], Awaitable[None]]

HEARTBEAT_SECONDS: Final = 5
AUDIT_SECONDS: Final = 30
ADMISSION_SECONDS: Final = 2
"""How often what waits is looked at although nothing changed: a port may be free."""

_PARKED: Final = datetime(9999, 1, 1, tzinfo=UTC)
_DUE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of a job whose time has passed: before any that a clock shows."""


class ByElapsedTime(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Fires at no date: `Sweeps` makes the job due."""

    __slots__ = ()

    def get_next_fire_time(self, _previous_fire_time: datetime | None, _now: datetime) -> datetime:
        """A date that does not come."""
        return _PARKED


class Sweeps:
    """Runs each sweep at its interval; one that is late runs once, and never beside itself."""

    def __init__(self, context: Context, look_again: Callable[[], None]) -> None:
        self._context = context
        self._look_again = look_again
        self._paces: dict[str, Callable[[], float]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(_log_error, EVENT_JOB_ERROR)
        self.every(HEARTBEAT_SECONDS, "heartbeat", self._heartbeat)
        self.every(AUDIT_SECONDS, "lease audit", self._audit_leases)

    def start(self) -> None:
        """Start sweeping."""
        self._scheduler.start()
        for name in self._paces:
            self._wait(name)
        self.attend()

    async def stop(self) -> None:
        """Stop sweeping."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, seconds: float, name: str, sweep: Sweep) -> None:
        """Add a sweep at an interval, in seconds. Add all of them before `start`."""
        self.at_pace(lambda: seconds, name, sweep)

    def at_pace(self, pace: Callable[[], float], name: str, sweep: Sweep) -> None:
        """Add a sweep whose interval may change with the configuration."""
        self._paces[name] = pace
        self._scheduler.add_job(sweep, ByElapsedTime(), id=name)

    def _wait(self, name: str) -> None:
        """Let the interval pass; a loop that was held up meanwhile sweeps once."""
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(self._paces[name](), self._make_due, name)

    def _make_due(self, name: str) -> None:
        self._scheduler.modify_job(name, next_run_time=_DUE)
        self._wait(name)

    async def _heartbeat(self) -> None:
        clock = self._context.database.clock
        await self._context.writer.write(lambda tx: heartbeat.beat(tx, clock))

    async def _audit_leases(self) -> None:
        await audit_leases(self._context)

    def attend(self) -> None:
        """Something changed: from now on look again regularly, for as long as there is work."""
        if self._scheduler.running and "admission" not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers["admission"] = loop.call_later(ADMISSION_SECONDS, self._admission)

    def _admission(self) -> None:
        del self._timers["admission"]
        if self._context.reader.value(statements.HAS_WORK):
            self._look_again()
            self.attend()


def _log_error(event: JobExecutionEvent) -> None:
    log.error("sweep %s failed: %r", event.job_id, event.exception)
