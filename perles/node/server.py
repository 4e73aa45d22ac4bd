"""The socket of a node: frames in, frames out. Who has no token is not listened to."""

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
from pathlib import Path

from perles.executor.remote.channel import SOCKET, TOKEN, frame, length_of
from perles.executor.remote.errors import NodeError
from perles.executor.remote.messages import Answer, Refused
from perles.executor.remote.protocol import decode_call, encode
from perles.node.service import Service
from perles.workspace import door

log = logging.getLogger("perles.node")
MAX_TOKEN = 256


async def serve(service: Service, folder: Path) -> asyncio.Server:
    """Listen on the node's socket. Raises `OSError`."""
    token = _token(folder)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve_one(service, token, reader, writer)
        except (OSError, EOFError, NodeError, asyncio.CancelledError):
            pass  # the caller hung up, or is none of ours: it asks again; or the node ends
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    path = folder / SOCKET
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(connected, path)
    finally:
        os.umask(before)


async def _serve_one(
    service: Service, token: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    size = length_of(await reader.readexactly(4))
    if size > MAX_TOKEN or not hmac.compare_digest(await reader.readexactly(size), token):
        return
    while True:
        data = await reader.readexactly(length_of(await reader.readexactly(4)))
        writer.write(frame(encode(await _answer(service, data))))
        await writer.drain()


async def _answer(service: Service, data: bytes) -> Answer:
    try:
        call = decode_call(data)
    except NodeError as error:
        return Refused(kind="request", message=str(error))
    try:
        return await service.answer(call)
    except Exception as error:
        log.exception("cannot answer %s", type(call.request).__name__)
        return Refused(kind="failed", message=f"unexpected {type(error).__name__}")


def _token(folder: Path) -> bytes:
    """The node's token, made where there is none."""
    path = folder / TOKEN
    with contextlib.suppress(OSError):
        if found := door.read_small(path):
            return found
    made = secrets.token_urlsafe(32).encode()
    door.write(path, made)
    return made
