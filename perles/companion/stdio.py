"""Standard input as lines for an event loop, and standard output for messages alone."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of one message."""
_READ: Final = 64 * 1024


@contextmanager
def output() -> Iterator[Callable[[dict[str, Any]], None]]:
    """What writes a message to standard output; whatever else prints there goes to the error's.

    What a library or a program printed would break the protocol.
    """
    own = os.dup(1)
    os.dup2(2, 1)

    def write(message: dict[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with suppress(BrokenPipeError):  # the client is gone: its end of the input says so
            while data:
                data = data[os.write(own, data) :]

    try:
        yield write
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
