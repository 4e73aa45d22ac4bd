"""Whether turns have left processes behind: many that ask at once share one look at all there are.

A look costs some 10 ms, and when a workflow of fifty agents is paused, all fifty end at once.
"""

import asyncio
from typing import Final

from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Executor

GATHER: Final = 0.01
"""Seconds that the first who asks waits for others."""


class Census:
    """Looks at the processes of turns that have just ended."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._asking: list[LiveTurn] = []
        self._look: asyncio.Task[bool] | None = None

    async def has_left_something(self, live: LiveTurn) -> bool:
        """Whether something of the turn may live; False is certain."""
        self._asking.append(live)
        if self._look is None:
            self._look = asyncio.ensure_future(self._at_all())
        return await self._look

    async def _at_all(self) -> bool:
        await asyncio.sleep(GATHER)
        lives, self._asking, self._look = self._asking, [], None
        return await self._executor.remains([live.process for live in lives])
