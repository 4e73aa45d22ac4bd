"""HTTP for one workflow's agents, on connections that the keeper of the ports hands over."""

import asyncio
import socket
from typing import Final

import uvicorn
from uvicorn.server import ServerState

from perles.mcp.guard import Application

CLOSE_SECONDS: Final = 1
"""How long a call in flight may take when its workflow is closed."""


class Listener:
    """Each connection carries one request, which the keeper has read whole."""

    def __init__(self, application: Application) -> None:
        self._config = _config(application)
        self._config.load()
        self._state = ServerState()
        self._state.default_headers = self._config.encoded_headers
        self._beginning: set[asyncio.Task[None]] = set()

    def take(self, connection: socket.socket) -> None:
        """Answer what comes on this connection."""
        task = asyncio.ensure_future(self._take(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _take(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self._config.http_protocol_class(  # type: ignore[call-arg]
                config=self._config, server_state=self._state, app_state={}, _loop=loop
            )
            return made

        await loop.connect_accepted_socket(protocol, connection)

    async def close(self) -> None:
        """Let what is in flight end, for a moment, and close all connections."""
        if self._beginning:
            await asyncio.wait(self._beginning)
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(list(self._state.tasks), timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)


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
    )
