"""Whether silent turns work: a long compile that uses the processor or the disk is work.

Only turns under suspicion are looked at, all of them in one look. What a turn used
says something when it was looked at before.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from perles.agents.exertion import Tree, Used, look
from perles.engine.live import LiveTurn

CPU_SHARE: Final = 0.01
"""Share of a core above which a turn counts as working."""
IO_RATE: Final = 10_000
"""Bytes a second read and written above which it does; timers and polling stay below."""

Look = Callable[[Sequence[Tree]], dict[int, Used]]


class Effort:
    """Remembers what turns had used when they were last looked at."""

    def __init__(self, look: Look = look) -> None:
        self._look = look
        self._before: dict[int, tuple[datetime, Used]] = {}

    async def of(self, lives: Iterable[LiveTurn], now: datetime) -> dict[int, bool]:
        """By turn, whether it worked since it was last looked at; without those in doubt.

        One that is looked at for the first time, and has used something, is in doubt.
        """
        trees = [
            Tree(live.turn_id, live.marker, live.sessions(), live.since())
            for live in lives
            if live.identity is not None
        ]
        if not trees:
            return {}
        used = await asyncio.to_thread(self._look, trees)
        works = {
            turn_id: self._works(turn_id, amount, now)
            for turn_id, amount in used.items()
            if turn_id in self._before or not amount.cpu
        }
        self._before |= {turn_id: (now, amount) for turn_id, amount in used.items()}
        return works

    def clock_was_set(self, by: timedelta) -> None:
        """Move the times of all looks with the clock."""
        self._before = {id: (at + by, used) for id, (at, used) in self._before.items()}

    def keep(self, turn_ids: Iterable[int]) -> None:
        """Forget all turns but these."""
        for turn_id in set(self._before) - set(turn_ids):
            del self._before[turn_id]

    def _works(self, turn_id: int, used: Used, now: datetime) -> bool:
        at, before = self._before.get(turn_id, (now, used))
        elapsed = max((now - at).total_seconds(), 0.001)
        cpu, io = (used.cpu - before.cpu) / elapsed, (used.io - before.io) / elapsed
        return cpu > CPU_SHARE or io > IO_RATE
