"""The turns whose process may live: found again, interrupted, ended with all that they started."""

import asyncio
import signal
from collections.abc import Collection
from typing import Final

from perles.engine.context import Context, log
from perles.engine.turns.ending import Ending
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.stray_processes import Census
from perles.executor.background import Background

COORDINATOR_GRACE: Final = 10.0
"""Seconds that a coordinator gets to end its turn after it has declared the end."""


class LiveTurns:
    """The turns whose process may live, and how they are ended."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._census = Census(context.executor)
        self._live: dict[int, LiveTurn] = {}
        self._background = Background(_log_failure)
        self._hurried: set[str] = set()

    def of(self, workflow_id: str) -> list[LiveTurn]:
        """The live turns of a workflow."""
        return [live for live in self._live.values() if live.workflow_id == workflow_id]

    def of_agent(self, agent_id: int) -> LiveTurn | None:
        """The live turn of an agent."""
        return next((live for live in self._live.values() if live.agent_id == agent_id), None)

    def any_live(self) -> bool:
        """Whether the process of any turn may live."""
        return bool(self._live)

    def of_any(self, workflow_ids: Collection[str], turn_ids: Collection[int]) -> list[LiveTurn]:
        """The live turns of these workflows, and these."""
        return [
            live
            for live in self._live.values()
            if live.workflow_id in workflow_ids or live.turn_id in turn_ids
        ]

    async def interrupt(self, lives: list[LiveTurn], ending: Ending, *, grace: float) -> None:
        """End these turns: TERM to all that belongs to them, after `grace` seconds KILL."""
        for live in lives:
            live.ending = live.ending or ending
        if not lives:
            return
        hurried = any(live.workflow_id in self._hurried for live in lives)
        if not await self._context.executor.end(
            lambda: [live.process for live in lives if not live.done.is_set()],
            grace=0.0 if hurried else grace,
            gone=lambda seconds: _all_done(lives, seconds),
        ):
            names = ", ".join(live.agent for live in lives if not live.done.is_set())
            log.error("processes of %s outlive SIGKILL; they are still watched", names)

    async def let_end(self, workflow_id: str) -> None:
        """Wait for turns that end by themselves when the workflow does.

        The coordinator declared the end, and services are being ended well, each with a grace
        period of its own: ending the workflow meanwhile does not cut that short, unless it is
        forced.
        """
        for live in self.of(workflow_id):
            if live.role == "coordinator" and not await live.ends_within(COORDINATOR_GRACE):
                log.info("the coordinator of %s does not end by itself", workflow_id)
        for live in self.of(workflow_id):
            if live.ending is not None and live.ending.turn == "succeed":
                await live.done.wait()

    def cut_grace_short(self, workflow_id: str) -> None:
        """Kill what is being interrupted, now or by a command before this one."""
        self._hurried.add(workflow_id)
        dying = [live for live in self.of(workflow_id) if live.ending is not None]
        if dying:
            self._context.executor.signal([live.process for live in dying], signal.SIGKILL)

    def cut_every_grace_short(self) -> None:
        """`cut_grace_short` for every workflow with a live turn."""
        for workflow_id in {live.workflow_id for live in self._live.values()}:
            self.cut_grace_short(workflow_id)

    def forget(self, workflow_id: str) -> None:
        """The workflow has ended: nothing is in a hurry any more."""
        self._hurried.discard(workflow_id)

    async def settle(self) -> None:
        """Wait for what is being concluded right now."""
        await self._background.settle()

    def _let_go(self, live: LiveTurn) -> None:
        self._live.pop(live.turn_id, None)
        live.process.close()
        live.done.set()

    async def _end_family(self, live: LiveTurn, *, grace: float) -> None:
        """End what an agent's process left behind when it was cut off: nothing of it runs on."""
        if not await self._census.has_left_something(live):
            return
        if not await self._context.executor.end(lambda: [live.process], grace=grace):
            log.error("what %s left behind outlives SIGKILL", live.agent)


async def _all_done(lives: list[LiveTurn], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for live in lives:
                await live.done.wait()
    except TimeoutError:
        return False
    return True


def _log_failure(error: BaseException) -> None:
    log.error("a turn could not be concluded", exc_info=error)
