"""What an engine with a cluster runs beside the rest."""

from __future__ import annotations

import asyncio

from perles.engine.context import Context
from perles.engine.fleet.membership import Membership, Reach
from perles.engine.fleet.placement import Placement


class Fleet:
    """Follows the nodes of a cluster, and has turns placed on them."""

    def __init__(self, context: Context, reach: Reach) -> None:
        self._context = context
        self._membership = Membership(context, reach)
        self._tasks: list[asyncio.Task[None]] = []
        context.placing = Placement(context)

    def start(self) -> None:
        """Begin to follow the nodes."""
        self._tasks.append(asyncio.ensure_future(self._membership.run()))

    async def stop(self) -> None:
        """Follow them no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
