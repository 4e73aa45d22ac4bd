"""How processes are ended: TERM, time to end by themselves, KILL until none is left."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

from perles.domain.duration import GRACE

STOP_GRACE: Final = GRACE
"""Seconds between TERM and KILL for the agents of a workflow that is stopped or paused."""
SPENDING_GRACE: Final = 1.0
"""Where a budget is used up: some CLIs go on asking their model until KILL."""
REPLACED_GRACE: Final = 5.0
"""For an agent that is replaced, stopped by itself, or beyond a limit of its turn."""
ORPHANS_GRACE: Final = 2.0
"""For what an engine that died did not come to end."""
LEFTOVERS_GRACE: Final = 1.0
"""For what an agent that has ended left behind."""
KILL_PATIENCE: Final = 10.0
"""Seconds to wait for processes to be gone after KILL."""
LOOK: Final = 0.02


async def end(
    send: Callable[[signal.Signals], int], is_alive: Callable[[], object], *, grace: float
) -> bool:
    """End processes that start others meanwhile, too. False where some outlive KILL.

    `send` sends a signal to all that there are now and tells how many that were.
    """
    if not send(signal.SIGTERM):
        return True
    deadline = time.monotonic() + grace
    while is_alive():
        if time.monotonic() > deadline:
            return await _kill(send)
        await asyncio.sleep(LOOK)
    return True


async def _kill(send: Callable[[signal.Signals], int]) -> bool:
    deadline = time.monotonic() + KILL_PATIENCE
    while send(signal.SIGKILL):  # what forks meanwhile is met the next time
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK)
    return True
