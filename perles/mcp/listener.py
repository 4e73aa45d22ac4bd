"""One workflow's HTTP server, in the engine's event loop."""

import contextlib
from collections.abc import Iterator
from typing import Final

import uvicorn

from perles.mcp.guard import Application

CLOSE_SECONDS: Final = 1
"""How long a call in flight may take when its workflow is closed."""


class Listener(uvicorn.Server):
    """A server that leaves the process's signals alone: they are the engine's."""

    def __init__(self, application: Application) -> None:
        super().__init__(_config(application))

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
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
