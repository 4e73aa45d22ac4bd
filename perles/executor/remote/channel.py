"""How a call reaches a node: over its socket, or by whatever carries bytes to its machine."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from perles.executor.remote.errors import NodeError, UnreachableError
from perles.executor.remote.messages import Answer, End, EndWorkflows, Part, Poll, RunAside
from perles.executor.remote.protocol import MAX_FRAME, Call, decode_answer, encode
from perles.workspace import door

SOCKET: Final = "node.sock"
TOKEN: Final = "node.token"  # noqa: S105 - the name of a file
PATIENCE: Final = 10.0
"""Seconds to wait for an answer beyond what the request itself may take."""


class Channel(Protocol):
    """Carries calls to nodes. Used in one event loop."""

    async def call(self, node: str, call: Call) -> Answer:
        """The answer of a node. Raises `UnreachableError` within `deadline(call)` seconds.

        It is never carried out twice by the channel itself: the caller may ask again.
        """

    async def close(self) -> None:
        """Let go of what it holds."""


def deadline(call: Call) -> float:
    """For how many seconds an answer is waited for."""
    request = call.request
    if isinstance(request, Poll | Part):
        return PATIENCE + request.wait
    if isinstance(request, End | EndWorkflows):
        return 2 * PATIENCE + request.grace
    if isinstance(request, RunAside):
        return 2 * PATIENCE + request.seconds
    return PATIENCE


def frame(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return len(data).to_bytes(4, "big") + data


def length_of(head: bytes) -> int:
    """The length that the first four bytes of a frame tell. Raises `NodeError`."""
    found = int.from_bytes(head, "big")
    if found > MAX_FRAME:
        raise NodeError("request", f"cannot take a frame of {found} bytes: {MAX_FRAME} at most")
    return found


def ask_socket(folder: str, data: bytes, seconds: float) -> bytes:
    """The answer of the node in `folder` to an encoded call: blocking, for a thread.

    Raises `OSError` where it cannot be asked within `seconds`.
    """
    token = door.read_small(Path(folder) / TOKEN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(seconds)
        made.connect(os.path.join(folder, SOCKET))
        made.sendall(frame(token) + frame(data))
        return _exactly(made, length_of(_exactly(made, 4)))


def _exactly(made: socket.socket, size: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < size:
        piece = made.recv(min(size - len(pieces), 1 << 18))
        if not piece:
            raise ConnectionResetError("the node hung up")
        pieces += piece
    return bytes(pieces)


class SocketChannel:
    """Reaches nodes by their sockets: on this machine, or at TCP addresses that lead to them."""

    def __init__(self, nodes: Mapping[str, Path], ports: Mapping[str, int] | None = None) -> None:
        self._nodes, self._ports = dict(nodes), dict(ports or {})

    async def call(self, node: str, call: Call) -> Answer:
        """The answer of a node: each call has a connection of its own."""
        try:
            async with asyncio.timeout(deadline(call)):
                return decode_answer(await self._asked(node, encode(call)))
        except (OSError, EOFError, KeyError) as error:
            raise UnreachableError(node, f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Nothing is held."""

    async def _asked(self, node: str, data: bytes) -> bytes:
        folder = self._nodes[node]
        token = door.read_small(folder / TOKEN)
        if node in self._ports:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[node])
        else:
            reader, writer = await asyncio.open_unix_connection(folder / SOCKET)
        try:
            writer.write(frame(token) + frame(data))
            await writer.drain()
            return await reader.readexactly(length_of(await reader.readexactly(4)))
        finally:
            writer.close()
