"""Work that nobody waits for: kept until it ends, for asyncio keeps no hold of it itself."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """Tasks that run beside; `failed` is told what one raised that it did not catch."""

    def __init__(self, failed: Callable[[BaseException], None] | None = None) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed = failed

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside all else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._failed is None or task.cancelled():
            return  # an error that nobody takes up is told by asyncio
        error = task.exception()
        if error is not None:
            self._failed(error)

    async def settle(self) -> None:
        """Wait until nothing runs any more, also of what begins meanwhile.

        `asyncio.gather` will not do: from Python 3.12 on it answers at once where all are done,
        without a turn of the loop, so that `_ended` is never called.
        """
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """End what runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
