"""Asks whether a service is ready. Each question is bounded, and none is asked in a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from perles.domain.line_pattern import LinePattern
from perles.domain.services import Ready, split_address
from perles.domain.text import settled
from perles.engine.remote_turns import AsksNodes, RunsOnNodes
from perles.executor import listening
from perles.executor.contract import Executor
from perles.executor.remote.errors import NodeError
from perles.executor.remote.listening_part import RemoteListening
from perles.workspace import door

COMMAND_SECONDS: Final = 10.0
PIECE: Final = 256 * 1024
"""Bytes of output that are looked at in one go."""

Probe = Callable[[], Awaitable[str | None]]
"""Asks once: None where the service is ready, else why it is not."""


class Place(NamedTuple):
    """Where a service runs: what a probe may need to know of it.

    `node` is the machine, None for this one; `folder` is there. What it prints is in a file here.
    """

    executor: Executor
    workflow_id: str
    folder: Path
    environ: Mapping[str, str]
    output: Path
    node: str | None = None


def probe_of(ready: Ready, place: Place) -> Probe:
    """What asks for this."""
    if ready.kind == "tcp":
        return lambda: _listens("tcp", split_address(ready.value), place)
    if ready.kind == "http":
        return lambda: _listens("http", (ready.value,), place)
    if ready.kind == "command":
        return lambda: _command(ready.value, place)
    if ready.kind == "line":
        return _Lines(ready.value, place.output).look
    return _running


async def _running() -> str | None:
    return None  # it has a process, or nobody would ask


async def _listens(kind: str, args: tuple[Any, ...], place: Place) -> str | None:
    """Ask over the network, on the machine of the service."""
    if place.node is None:
        ask: Any = listening.tcp if kind == "tcp" else listening.http
        return cast("str | None", await ask(*args))
    far = far_of(place.executor, place.node)
    try:
        return await (far.tcp(*args) if kind == "tcp" else far.http(*args))
    except NodeError as error:
        return str(error)


async def holder_of(executor: Executor, node: str | None, port: int) -> str | None:
    """Who listens on a port of a machine, in words; None where nobody does, or none can tell."""
    if node is None:
        return await asyncio.to_thread(listening.holder_of, port)
    try:
        return await far_of(executor, node).holder(port)
    except NodeError:
        return None  # whether it answers is told elsewhere


def far_of(executor: Executor, node: str) -> RemoteListening:
    """Asks on a node."""
    assert isinstance(executor, AsksNodes)
    return RemoteListening(executor.asker(node))


async def _command(command: str, place: Place) -> str | None:
    executor, about = place.executor, {"env": place.environ, "workflow_id": place.workflow_id}
    how: dict[str, Any] = {**about, "output": None, "seconds": COMMAND_SECONDS, "cwd": place.folder}
    try:
        if place.node is None:
            code = await executor.run_aside(["/bin/sh", "-c", command], **how)
        else:
            assert isinstance(executor, RunsOnNodes)
            script = f"{command}\n".encode(errors="replace")
            code = await executor.run_on(place.node, ["/bin/sh"], script, **how)
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
