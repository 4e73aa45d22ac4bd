"""A bad network between an engine and a node: a proxy that delays, doubles, half-closes and cuts.

Every connection has a fate of its own, drawn from a seed. One that is doubled is sent to the node
twice: both answers are real, one of them is heard.
"""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Final

FATES: Final = (
    "pass", "pass", "pass", "delay", "late", "double", "half", "cut before", "cut within",
    "cut after",
)  # fmt: skip
MAX_DELAY: Final = 0.15
LATE: Final = 0.8
"""Seconds after which a request is delivered whose sender has hung up."""


class Proxy:
    """Listens on a port of loopback, and leads to the socket at `path`."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self._random = path, random.Random(seed)
        self._server: asyncio.Server | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._served: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cuts = 0
        self.is_bad = True
        self.is_cut = False
        """Nothing comes through at all."""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and deliver what is late."""
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._late, *self._served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self._random.choice(FATES) if self.is_bad else "pass"
        with contextlib.suppress(OSError, EOFError):
            if not self.is_cut:
                serving = asyncio.ensure_future(self._fulfil(fate, reader, writer))
                self._served.add(serving)
                serving.add_done_callback(self._served.discard)
                await serving
        writer.close()

    async def _fulfil(
        self, fate: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if fate not in ("pass", "delay", "double"):
            self.cuts += 1
        if fate == "cut before":
            return
        request = await _frame(reader) + await _frame(reader)
        if fate == "late":
            task = asyncio.ensure_future(self._deliver_late(request))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        if fate == "delay":
            await asyncio.sleep(self._random.uniform(0, MAX_DELAY))
        if fate == "half":
            request = request[: self._random.randrange(len(request))]
        if fate == "double":
            answers = await asyncio.gather(self._asked(request), self._asked(request))
            writer.write(self._random.choice(answers))
            await writer.drain()
            return
        answer = await self._asked(request)
        if self.is_cut:
            return
        if fate == "cut within":
            answer = answer[: self._random.randrange(len(answer) or 1)]
        if fate != "cut after":
            writer.write(answer)
            await writer.drain()

    async def _deliver_late(self, request: bytes) -> None:
        await asyncio.sleep(LATE)
        with contextlib.suppress(OSError, EOFError):
            await self._asked(request)

    async def _asked(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(request)
            writer.write_eof()
            return await _frame(reader)
        finally:
            writer.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big"))
