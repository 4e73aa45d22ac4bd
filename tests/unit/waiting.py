"""Waiting for a condition in an event loop, under one deadline."""

import asyncio
from collections.abc import Callable

DEADLINE = 60.0


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks go on until the condition holds; fails where it does not in time."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what changes it knows nothing of tests
            await asyncio.sleep(0.01)
