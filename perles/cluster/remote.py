"""A part of a Dask cluster on one machine: `python -m perles.cluster.remote`, started over SSH.

It reads one line of JSON from its input, tells in one line of JSON how it was started, and ends
when its input does: with the SSH connection, and so with the engine. What the line holds, such as
the key of the certificate, stands neither on a command line nor in a file.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import platform
import socket
import sys
from ipaddress import ip_address
from typing import Any, Final

from perles.domain.node_words import this_node
from perles.domain.quoting import in_line
from perles.version import __version__

FIRST_LINE: Final = 1 << 20
"""Bytes that the line may have."""


def main() -> int:
    """Serve as the line says; 1 where that ends before the input does."""
    asked = json.loads(sys.stdin.buffer.readline(FIRST_LINE))
    os.environ.update(asked["environ"])
    return asyncio.run(_serve(asked["scheduler"]))


async def _serve(scheduler: str) -> int:
    asked_to_end = asyncio.ensure_future(_input_ends())
    starting = asyncio.ensure_future(_start(scheduler))
    await asyncio.wait([asked_to_end, starting], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return 0
    try:
        server = starting.result()
    except (OSError, TimeoutError, RuntimeError, ValueError) as error:
        print(f"cannot start: {in_line(str(error))}", file=sys.stderr)
        return 1
    _tell(server.address)
    ending = asyncio.ensure_future(server.finished())
    await asyncio.wait([asked_to_end, ending], return_when=asyncio.FIRST_COMPLETED)
    await server.close()
    return 0 if asked_to_end.done() else 1


async def _start(scheduler: str) -> Any:
    """The scheduler, or a worker of the one at this address."""
    distributed = importlib.import_module("distributed")
    given = {"host": own_address(), "security": distributed.Security(), "dashboard": False}
    if not scheduler:
        return await distributed.Scheduler(protocol="tls", port=0, **given)
    name = f"{_name()}-{os.getpid()}"
    return await distributed.Worker(scheduler, nthreads=1, memory_limit=0, name=name, **given)


def _name() -> str:
    return this_node(os.environ, socket.gethostname())


def own_address() -> str | None:
    """The address at which this machine was reached; None where Dask is to find a better one."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    try:
        return None if ip_address(words[2]).is_loopback else words[2]
    except (IndexError, ValueError):
        return None


def _tell(address: str) -> None:
    told = {
        "address": address,
        "node": _name(),
        "host": socket.gethostname(),
        "perles": __version__,
        "python": platform.python_version(),
    }
    print(json.dumps(told), flush=True)


async def _input_ends() -> None:
    """Until nobody holds the other end of our input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while await reader.read(4096):
        pass


if __name__ == "__main__":
    sys.exit(main())
