"""Notices that the machine's clock was set, and has all that is reckoned from dates go with it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from perles.domain.clock import Clock, offset
from perles.domain.duration import format_duration
from perles.domain.errors import DatabaseError
from perles.engine.context import Context, log
from perles.store.clock_shift import redate
from perles.store.events import journal
from perles.store.transaction import Tx

STEP_SECONDS: Final = 1.0
"""What the clock moves by less than this is no step: it is corrected all the time."""

Told = Callable[[float], None]


class ClockWatch:
    """Compares the clock with the time that passes."""

    def __init__(self, context: Context, told: Sequence[Told]) -> None:
        """`told` are called with the seconds by which the clock moved."""
        self._context = context
        self._told = told
        self._clock: Clock = context.database.clock
        self._offset = offset(self._clock)
        self._looked_at = self._clock.elapsed()
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Look once. Code that compares dates right after it finds them moved."""
        async with self._lock:
            now = self._clock.elapsed()
            unseen, self._looked_at = now - self._looked_at, now
            step = offset(self._clock) - self._offset
            if abs(step) < STEP_SECONDS:
                return
            self._offset += step
            log.warning("the clock was set %s", _by(step))
            for tell in self._told:
                tell(step)
            try:
                await self._context.writer.write(lambda tx: _redate(tx, step, unseen))
            except DatabaseError as error:
                log.error("the times in the database were not moved with the clock: %s", error)


def catch_up(tx: Tx, known_offset: float | None, now_offset: float) -> None:
    """The clock may have been set while no engine ran: `known_offset` is the last one's.

    None where that was before the machine started; then no time may be to come, at least.
    """
    step = 0.0 if known_offset is None else now_offset - known_offset
    if known_offset is None or abs(step) >= STEP_SECONDS:
        _redate(tx, step, 0.0)


def _redate(tx: Tx, step: float, unseen: float) -> None:
    redate(tx, step, unseen)
    if abs(step) >= STEP_SECONDS:
        journal.append(tx, "engine.clock_set", {"seconds": round(step, 3)})


def _by(step: float) -> str:
    return f"{'ahead' if step > 0 else 'back'} by {format_duration(round(abs(step)))}"
