"""HTTP as the keeper of the ports hands it over: one request a connection, checked and whole."""

import asyncio
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head; the keeper takes half as many from a client."""


class Request(NamedTuple):
    """`headers` are in their order, their names in lower case; `path` is without the query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


class Response(NamedTuple):
    """`body` is JSON, or empty."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        """What goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        if self.body:
            lines.append("Content-Type: application/json")
        lines += (f"{name}: {value}" for name, value in self.headers)
        lines += (f"Content-Length: {len(self.body)}", "Connection: close", "", "")
        return "\r\n".join(lines).encode() + self.body


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The request that comes; `reader` takes `MAX_HEAD` bytes before a separator.

    Raises `ValueError` for what is none, and `asyncio.IncompleteReadError` where it is cut off.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError(f"a head over {MAX_HEAD} bytes") from error
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    body = await reader.readexactly(length)
    return Request(method, unquote(target.partition("?")[0]), headers, body)
