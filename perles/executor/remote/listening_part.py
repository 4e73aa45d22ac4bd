"""The part of a node that asks what listens there: services answer on their own machine."""

from __future__ import annotations

import asyncio
from typing import Final

from perles.executor import listening
from perles.executor.remote.part import Ask, Operation, Operations, encode

PART: Final = "listening"
_OPERATIONS: Final = Operations(
    PART,
    {
        "tcp": Operation(tuple[str, int], str | None),
        "http": Operation(tuple[str], str | None),
        "holder": Operation(tuple[int], str | None),
    },
)
_PATIENCE: Final = 2 * listening.ANSWER_SECONDS


class ListeningPart:
    """On the node, in its event loop."""

    async def handle(self, op: str, body: bytes) -> bytes:
        """Carry out one request."""
        args = _OPERATIONS.args(op, body)
        if op == "holder":
            return encode(await asyncio.to_thread(listening.holder_of, *args))
        return encode(await (listening.tcp(*args) if op == "tcp" else listening.http(*args)))


class RemoteListening:
    """What listens on one node, as the engine asks it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def tcp(self, host: str, port: int) -> str | None:
        """As `listening.tcp`, from there. Raises `NodeError`."""
        return await self._asked("tcp", host, port)

    async def http(self, url: str) -> str | None:
        """As `listening.http`, from there. Raises `NodeError`."""
        return await self._asked("http", url)

    async def holder(self, port: int) -> str | None:
        """As `listening.holder_of`, of a port there. Raises `NodeError`."""
        return await self._asked("holder", port)

    async def _asked(self, op: str, *args: object) -> str | None:
        found: str | None = await _OPERATIONS.call(self._ask, op, *args, wait=_PATIENCE)
        return found
