"""Calls of agents on another machine: held here until the engine, which asks for them, answers.

A node runs this. An agent there speaks to a port of its own machine; the keeper of the ports
reads its request and gives it a key, as it does beside an engine. The engine that leads fetches
what waits and brings the answers: it is never dialled. What it fetches stays here until it is
answered, so an engine that dies, or whose answer is lost, is followed by one that fetches it again.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.mcp.keeper_client import Ports

log = logging.getLogger(__name__)

MAX_ANSWER: Final = 16 * 1024 * 1024
MAX_GIVEN: Final = 8 * 1024 * 1024
"""Bytes of requests in one look at what waits; the first is given whatever its size."""
MAX_REFUSALS: Final = 200
MOST_CHECKED: Final = 3
CHECK_SECONDS: Final = 5.0
"""Ports that a check connects to, and how long each may take."""
_PIECE: Final = 65_536
_END: Final = b"\r\n\r\n"


class WaitingCall(NamedTuple):
    """A request of an agent, whole, that came in at `port` of the node. It carries its key."""

    id: str
    workflow_id: str
    port: int
    request: bytes


class Refusal(NamedTuple):
    """Requests that the keeper turned away; `number` grows, also over processes of the node."""

    number: int
    workflow_id: str
    status: int
    times: int
    why: str


class Waiting(NamedTuple):
    """What the engine is to answer, and what it is to be told of."""

    calls: list[WaitingCall]
    refusals: list[Refusal]


class Relay:
    """The calls of one node, in its event loop. `folder` is the node's own, with its lock."""

    def __init__(self, folder: Path) -> None:
        self._ports = Ports(folder, self._on_call, self._on_refused)
        self._numbers: dict[str, int] = {}
        self._serves = False
        self._calls: dict[str, tuple[WaitingCall, socket.socket]] = {}
        self._refusals: list[Refusal] = []
        self._refused = time.time_ns()
        self._news = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Take over the ports that an earlier node left to its keeper, with the calls on them."""
        await self._ports.start(may_spawn=False)
        for workflow_id in self._ports.all_held():
            self._numbers[workflow_id] = self._number_of(workflow_id)
        if self._numbers:
            self._need_keeper()

    async def open(self, workflow_id: str) -> int:
        """The port of this machine at which the workflow's agents call; the same each time.

        Raises `OSError` where none can be had.
        """
        async with self._lock:
            if workflow_id in self._numbers:
                return self._numbers[workflow_id]
            self._need_keeper()
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            await self._ports.hold(workflow_id, listener)
            self._numbers[workflow_id] = self._number_of(workflow_id)
            return self._numbers[workflow_id]

    async def check(self) -> None:
        """See that a program of this machine can call: at the ports, or at one made for this.

        Raises `OSError` where it cannot.
        """
        ports = list(self._numbers.values())[:MOST_CHECKED]
        with socket.create_server(("127.0.0.1", 0)) as made:
            for port in ports or [int(made.getsockname()[1])]:
                async with asyncio.timeout(CHECK_SECONDS):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()

    def all(self) -> list[str]:
        """The workflows that have a port here."""
        return sorted(self._numbers)

    async def close(self, workflow_id: str) -> None:
        """Listen no more for this workflow, and let go of the callers that wait."""
        async with self._lock:
            self._numbers.pop(workflow_id, None)
            await self._ports.drop(workflow_id)
        for id, (call, _) in list(self._calls.items()):
            if call.workflow_id == workflow_id:
                self._let_go(id)

    async def waiting(
        self, have: Collection[str] = (), told: int = 0, seconds: float = 0.0
    ) -> Waiting:
        """The waiting calls that the engine has not got yet, after `seconds` at the latest.

        Refusals up to the number `told` are known to the engine and forgotten here.
        """
        self._refusals = [one for one in self._refusals if one.number > told]
        found = self._found(have)
        if not any(found) and seconds > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not any(found := self._found(have)):
                        await self._news.wait()
                        self._news.clear()
        return found

    def answer(self, id: str, response: bytes) -> None:
        """Answer a call; nothing happens where it was answered before, or its client has gone."""
        kept = self._calls.pop(id, None)
        if kept is not None:
            _, connection = kept
            asyncio.get_running_loop().remove_reader(connection.fileno())
            self._spawn(_send(connection, response[:MAX_ANSWER]))

    async def end(self) -> None:
        """Let go for good: no agent is left that could call."""
        for workflow_id in self.all():
            await self.close(workflow_id)
        await self.leave()

    async def leave(self) -> None:
        """Let go: the keeper holds the ports, and asks the next node what is not answered."""
        if self._serves:
            await self._ports.rest()
        for task in list(self._reading):
            task.cancel()
        for id in list(self._calls):
            self._let_go(id)
        self._ports.leave()

    def _need_keeper(self) -> None:
        """A node that no agent calls on needs none."""
        if not self._serves:
            self._serves = True
            self._ports.need()
            self._ports.serve()

    def _number_of(self, workflow_id: str) -> int:
        listener = self._ports.held(workflow_id)
        assert listener is not None
        return int(listener.getsockname()[1])

    def _found(self, have: Collection[str]) -> Waiting:
        found: list[WaitingCall] = []
        size = 0
        for id, (call, _) in self._calls.items():
            if id not in have:
                size += len(call.request)
                if found and size > MAX_GIVEN:
                    break
                found.append(call)
        return Waiting(found, list(self._refusals))

    def _on_call(self, workflow_id: str, connection: socket.socket) -> None:
        self._spawn(self._read(workflow_id, connection))

    def _on_refused(self, workflow_id: str, status: int, count: int, why: str) -> None:
        self._refused += 1
        self._refusals.append(Refusal(self._refused, workflow_id, status, count, why))
        del self._refusals[:-MAX_REFUSALS]
        self._news.set()

    async def _read(self, workflow_id: str, connection: socket.socket) -> None:
        """Take the request that the keeper hands over; it has read it whole."""
        loop = asyncio.get_running_loop()
        try:
            request = await _whole(connection)
        except (OSError, ValueError) as error:
            log.info("a call was cut off: %s", error)  # the keeper asks again
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        port = self._numbers.get(workflow_id)
        if port is None:
            connection.close()  # its port was closed at this moment
            return
        call = WaitingCall(os.urandom(8).hex(), workflow_id, port, request)
        self._calls[call.id] = (call, connection)
        loop.add_reader(connection.fileno(), self._let_go, call.id)  # its client has gone
        self._news.set()

    def _let_go(self, id: str) -> None:
        kept = self._calls.pop(id, None)
        if kept is not None:
            asyncio.get_running_loop().remove_reader(kept[1].fileno())
            kept[1].close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)


async def _whole(connection: socket.socket) -> bytes:
    """A request with the length that the keeper wrote into its head. Raises `ValueError`."""
    loop, read = asyncio.get_running_loop(), bytearray()
    length: int | None = None
    while length is None or len(read) < length:
        piece = await loop.sock_recv(connection, _PIECE)
        if not piece:
            raise ValueError("no whole request")
        read += piece
        if length is None and (end := read.find(_END)) >= 0:
            length = end + len(_END) + _length_of(bytes(read[:end]))
    return bytes(read)


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def _send(connection: socket.socket, response: bytes) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(connection, response)
    except OSError as error:
        log.info("an answer did not reach the keeper: %s", error)
    finally:
        connection.close()
