"""Answers one workflow's agents, on connections that the keeper of the ports hands over."""

import asyncio
import logging
import socket
from typing import Final

from perles.mcp.guard import Guard
from perles.mcp.http import MAX_HEAD, Response, read_request

log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 1
"""How long a call in flight may take when its workflow is closed."""


class Listener:
    """Each connection carries one request, which the keeper has read whole."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._calls: set[asyncio.Task[None]] = set()

    def take(self, connection: socket.socket, port: int | None = None) -> None:
        """Answer what comes on this connection, which a client made to `port` of its machine."""
        task = asyncio.ensure_future(self._answer(connection, port))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer(self, connection: socket.socket, port: int | None) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_HEAD)
        try:
            request = await read_request(reader)
            try:
                response = await self._guard.answer(request, port)
            except Exception:  # a bug must not end the server; the caller is told, we log it
                log.exception("a call could not be answered")
                response = Response(500)
            writer.write(response.encoded())
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            log.info("a call was cut off: %s", error)  # the keeper asks again, or has no client
        finally:
            writer.close()

    async def close(self) -> None:
        """Let what is in flight end, for a moment, and cut off the rest."""
        if not self._calls:
            return
        _, late = await asyncio.wait(list(self._calls), timeout=CLOSE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
