"""Standard input as lines for an event loop, and standard output for messages alone."""

from __future__ import annotations

import asyncio
import json
import os
import select
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of one message."""
_READ: Final = 64 * 1024


class Output:
    """Standard output, for messages alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closing = select.poll()
        self._closing.register(descriptor, 0)  # no event asked for: errors and hang-ups are told

    def write(self, message: dict[str, Any]) -> None:
        """Write one message; nothing where the client reads no more."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def is_read(self) -> bool:
        """Whether the client still has the other end open; true for a file."""
        return not self._closing.poll(0)


@contextmanager
def output() -> Iterator[Output]:
    """Standard output for messages; whatever else prints there goes to standard error.

    What a library or a program printed would break the protocol.
    """
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        yield Output(own)
    finally:
        os.dup2(own, 1)
        os.close(own)


async def lines() -> AsyncIterator[bytes]:
    """The lines of standard input, of any kind of file, until it ends or one is too long."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def tell(given: bytes | None) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(queue.put_nowait, given)

    # A daemon: nothing wakes a thread that reads what never comes.
    threading.Thread(target=_read_all, args=(tell,), daemon=True).start()
    while (given := await queue.get()) is not None:
        if given.strip():
            yield given


def _read_all(tell: Callable[[bytes | None], None]) -> None:
    rest = b""
    while len(rest) <= MAX_LINE and (data := os.read(0, _READ)):
        *whole, rest = (rest + data).split(b"\n")
        for given in whole:
            tell(given)
    if rest and len(rest) <= MAX_LINE:
        tell(rest)
    tell(None)
