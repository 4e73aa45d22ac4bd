"""Asks whether a service is ready. Each question is bounded, and none is asked in a transaction."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from perles.domain.line_pattern import LinePattern
from perles.domain.services import Ready, split_address
from perles.domain.text import settled
from perles.executor.contract import Executor
from perles.workspace import door

ANSWER_SECONDS: Final = 2.0
"""How long a connection may take, and an answer over it."""
COMMAND_SECONDS: Final = 10.0
PIECE: Final = 256 * 1024
"""Bytes of output that are looked at in one go."""

Probe = Callable[[], Awaitable[str | None]]
"""Asks once: None where the service is ready, else why it is not."""


class Place(NamedTuple):
    """Where a service runs: what a probe may need to know of it."""

    executor: Executor
    workflow_id: str
    folder: Path
    environ: Mapping[str, str]
    output: Path


def probe_of(ready: Ready, place: Place) -> Probe:
    """What asks for this."""
    if ready.kind == "tcp":
        return lambda: _tcp(*split_address(ready.value))
    if ready.kind == "http":
        return lambda: _http(ready.value)
    if ready.kind == "command":
        return lambda: _command(ready.value, place)
    if ready.kind == "line":
        return _Lines(ready.value, place.output).look
    return _running


async def _running() -> str | None:
    return None  # it has a process, or nobody would ask


async def _tcp(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no connection within {ANSWER_SECONDS:g}s"
    except OSError as error:
        return _why(error)
    writer.close()
    return None


async def _http(url: str) -> str | None:
    """Only the status counts: nothing else of the answer is read, and no certificate is checked."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
    asked += "User-Agent: perles\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=_unchecked() if secure else None
            )
            try:
                writer.write(asked.encode("ascii"))
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {2 * ANSWER_SECONDS:g}s"
    except (OSError, ValueError) as error:
        return _why(error) if isinstance(error, OSError) else "an answer that is no HTTP"
    words = line.decode("latin-1").split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        return "an answer that is no HTTP"
    return None if int(words[1]) < 400 else f"status {int(words[1])}"


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _why(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error)[:200] or "the connection was cut"


async def _command(command: str, place: Place) -> str | None:
    try:
        code = await place.executor.run_aside(
            ["/bin/sh", "-c", command],
            cwd=place.folder,
            env=place.environ,
            workflow_id=place.workflow_id,
            output=None,
            seconds=COMMAND_SECONDS,
        )
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    if code is None:
        return f"did not end within {COMMAND_SECONDS:g}s"
    return f"exit {128 - code if code < 0 else code}" if code else None


class _Lines:
    """Looks for a pattern in what was printed since the last look."""

    def __init__(self, pattern: str, path: Path) -> None:
        self._pattern = LinePattern(pattern)
        self._path = path
        self._offset = 0
        self._rest = b""

    async def look(self) -> str | None:
        """Look once, away from the event loop: a pattern and a piece may be long."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> str | None:
        try:
            with door.reading(self._path) as file:
                file.seek(self._offset)
                piece = file.read(PIECE)
        except OSError:
            piece = b""
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._rest = self._rest[-PIECE:]
        for line in (*lines, self._rest):
            if self._pattern.found_in(settled(line.decode(errors="replace"))):
                return None
        return "no such line"


def holder_of(port: int) -> str | None:
    """Who listens on a port of this machine, in words; None where nobody does."""
    import psutil  # each engine starts without it, and few have services

    try:
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
                return "another user's process" if one.pid is None else _process(one.pid)
    except psutil.Error:
        return None  # this machine does not tell; the service itself will
    return None


def _process(pid: int) -> str:
    import psutil

    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"  # it ended meanwhile
