"""Whether silent turns work: a long compile that uses the processor or the disk is work.

What the agent's CLI itself uses is none: one that waits for an answer that never comes
polls and draws. What counts are the processes that it started, and what it adds to its
session's file. A CLI that prints an answer when it is whole is silent until then, and
for so long nothing is known of it.

Only turns under suspicion are looked at, all of them in one look. What a turn used
says something when it was looked at before.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from perles.domain.records import dataclass
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Process, Used

CPU_SHARE: Final = 0.01
"""Share of a core above which what a CLI started counts as working."""
IO_RATE: Final = 10_000
"""Bytes a second read and written above which it does; timers and polling stay below."""
OWN_SHARE: Final = 0.5
"""Share of a core above which a CLI that may compute by itself counts as working."""

Look = Callable[[Sequence[Process]], dict[int, Used]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look at a turn: what it had used, and how far its session's file had grown."""

    at: datetime
    used: Used
    grown: int


class Effort:
    """Remembers what turns had used when they were last looked at."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._before: dict[int, _Seen] = {}

    async def of(
        self, lives: Iterable[LiveTurn], heard: Mapping[int, datetime], now: datetime
    ) -> dict[int, bool]:
        """By turn, whether it worked since it was last looked at; without those in doubt.

        In doubt is one that is looked at for the first time, where that matters, and one
        that was `heard` so lately that its CLI may be about to print an answer.
        """
        known = {live.turn_id: live for live in lives if live.identity is not None}
        if not known:
            return {}
        used = await asyncio.to_thread(self._look, [live.process for live in known.values()])
        seen = {id: _Seen(now, used[id], _grown(live)) for id, live in known.items()}
        works = {}
        for id, live in known.items():
            if self._works(live, seen[id]):
                works[id] = True
            elif not (self._is_new(live, seen[id]) or _may_answer(live, heard.get(id), now)):
                works[id] = False
        self._before |= seen
        return works

    def clock_was_set(self, by: timedelta) -> None:
        """Move the times of all looks with the clock."""
        self._before = {id: replace(seen, at=seen.at + by) for id, seen in self._before.items()}

    def keep(self, turn_ids: Iterable[int]) -> None:
        """Forget all turns but these."""
        for turn_id in set(self._before) - set(turn_ids):
            del self._before[turn_id]

    def _is_new(self, live: LiveTurn, seen: _Seen) -> bool:
        """Whether a first look leaves open what the turn does."""
        first = live.turn_id not in self._before
        return first and (seen.used.cpu > 0 or (seen.used.own > 0 and live.computes))

    def _works(self, live: LiveTurn, seen: _Seen) -> bool:
        before = self._before.get(live.turn_id)
        if before is None:
            return False
        elapsed = max((seen.at - before.at).total_seconds(), 0.001)
        cpu = (seen.used.cpu - before.used.cpu) / elapsed
        own = (seen.used.own - before.used.own) / elapsed
        io = (seen.used.io - before.used.io) / elapsed
        if cpu > CPU_SHARE or io > IO_RATE or seen.grown > before.grown:
            return True
        return live.computes and own > OWN_SHARE


def _grown(live: LiveTurn) -> int:
    return 0 if live.log is None else live.log.grown


def _may_answer(live: LiveTurn, heard: datetime | None, now: datetime) -> bool:
    return heard is not None and (now - heard).total_seconds() <= live.silent
