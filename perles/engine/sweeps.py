"""The engine's regular jobs, on APScheduler: a handful of sweeps, never a job per workflow."""

from collections.abc import Awaitable, Callable
from typing import Final

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from perles.engine.context import Context, log
from perles.engine.lease_audit import audit_leases
from perles.store.database import Tx
from perles.store.schema import Engine as EngineRow

Sweep = Callable[[], Awaitable[None]]

HEARTBEAT_SECONDS: Final = 5
AUDIT_SECONDS: Final = 30
ADMISSION_SECONDS: Final = 2
"""How often waiting workflows are looked at although nothing changed: a port may be free."""


class Sweeps:
    """Runs each sweep at its interval; one that is late runs once, and never beside itself."""

    def __init__(self, context: Context, look_again: Callable[[], None]) -> None:
        self._context = context
        self._look_again = look_again
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(_log_error, EVENT_JOB_ERROR)
        self.every(HEARTBEAT_SECONDS, "heartbeat", self._heartbeat)
        self.every(AUDIT_SECONDS, "lease audit", self._audit_leases)
        self.every(ADMISSION_SECONDS, "admission", self._admission)

    def start(self) -> None:
        """Start sweeping."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, seconds: float, name: str, sweep: Sweep) -> None:
        """Add a sweep at an interval."""
        self._scheduler.add_job(sweep, "interval", seconds=seconds, id=name)

    def at_pace(self, pace: Callable[[], float], name: str, sweep: Sweep) -> None:
        """Add a sweep whose interval may change with the configuration."""
        seconds = pace()

        async def run() -> None:
            nonlocal seconds
            await sweep()
            if pace() != seconds:
                seconds = pace()
                self._scheduler.reschedule_job(name, trigger="interval", seconds=seconds)

        self.every(seconds, name, run)

    async def _heartbeat(self) -> None:
        await self._context.writer.write(_beat)

    async def _audit_leases(self) -> None:
        await audit_leases(self._context)

    async def _admission(self) -> None:
        self._look_again()


def _beat(tx: Tx) -> None:
    tx.update(EngineRow, 1, heartbeat_at=tx.now)


def _log_error(event: JobExecutionEvent) -> None:
    log.error("sweep %s failed: %r", event.job_id, event.exception)
