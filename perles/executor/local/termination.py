"""How processes are ended: TERM, time to end by themselves, KILL until none is left."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

from perles.executor.contract import Gone

KILL_PATIENCE: Final = 10.0
"""Seconds to wait for processes to be gone after KILL."""
LOOK: Final = 0.02
"""Seconds between two looks for processes that are to end."""
AGAIN: Final = 0.5
"""Seconds between two KILLs where somebody else tells that all have ended."""


async def end(
    send: Callable[[signal.Signals], int],
    alive: Callable[[], object],
    *,
    grace: float,
    gone: Gone | None = None,
) -> bool:
    """End processes that start others meanwhile, too. False where some outlive KILL.

    `send` sends a signal to all that there are now and tells how many that were, `alive` looks
    for them. With `gone`, which waits for them, it counts that somebody has seen them end.
    """
    if not send(signal.SIGTERM) and gone is None:
        return True
    wait, again = (looked_for(alive), LOOK) if gone is None else (gone, AGAIN)
    if await wait(grace):
        return True
    deadline = time.monotonic() + KILL_PATIENCE
    while time.monotonic() < deadline:
        # What forks meanwhile is met the next time.
        if not send(signal.SIGKILL) and gone is None:
            return True
        if await wait(again):
            return True
    return False


def looked_for(alive: Callable[[], object]) -> Gone:
    """Waits for processes by looking for them."""

    async def gone(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while alive():
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(LOOK)
        return True

    return gone
