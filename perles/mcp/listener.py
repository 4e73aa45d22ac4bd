"""One workflow's HTTP server, in the engine's event loop."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import uvicorn

from perles.mcp.guard import Application

CLOSE_SECONDS: Final = 1
"""How long a call in flight may take when its workflow is closed."""


class Listener(uvicorn.Server):
    """A server that leaves the process's signals alone: they are the engine's.

    It sleeps until it is told to leave, where uvicorn's own looks ten times a second,
    which is a percent of a core with a hundred workflows.
    """

    def __init__(self, application: Application) -> None:
        super().__init__(_config(application))
        self._left = asyncio.Event()

    def leave(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._left.set()

    async def main_loop(self) -> None:
        """Wait for the end. The one tick sets the headers of every answer."""
        await self.on_tick(0)
        await self._left.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="h11",
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
