"""The engine's side of calls that agents make on another machine: fetched, answered, brought back.

A call goes to the same server as one of this machine. It is carried out once by its key: where
an answer did not reach the node, the call is fetched again, and gets the answer of then.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Collection
from typing import Final, Protocol

from perles.keeper.answer import is_whole
from perles.mcp.relay import Waiting, WaitingCall

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
"""How long the node waits for a call before it says that there is none."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds until a node that gave no answer is asked again; they double."""
_PIECE: Final = 65_536

Serve = Callable[[str, int, socket.socket], None]
"""Answers the request on a connection: of which workflow, from which port of its machine."""
OnRefused = Callable[[str, int, int, str], None]


class RelayNode(Protocol):
    """A node, as far as calls go. Each method may be repeated; both raise where it is not heard."""

    async def waiting(self, have: Collection[str], told: int, seconds: float) -> Waiting:
        """What waits there, `Relay.waiting`."""
        ...

    async def answer(self, id: str, response: bytes) -> None:
        """Answer one, `Relay.answer`."""
        ...


class Pump:
    """Carries the calls of one node. `failures` are what the node raises where it is not heard."""

    def __init__(
        self,
        node: RelayNode,
        serve: Serve,
        on_refused: OnRefused,
        *,
        failures: tuple[type[Exception], ...] = (OSError,),
    ) -> None:
        self._node, self._serve, self._on_refused = node, serve, on_refused
        self._failures = failures
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told = 0

    async def run(self) -> None:
        """Until it is cancelled. What is not answered by then is the next engine's."""
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    found = await self._node.waiting(list(self._tasks), self._told, LOOK_SECONDS)
                except self._failures as error:
                    if pause == FIRST_PAUSE:  # once for each time that it is away
                        log.info("a node's calls cannot be fetched now: %s", error)
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
                    continue
                pause = FIRST_PAUSE
                self._take(found)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _take(self, found: Waiting) -> None:
        for refusal in found.refusals:
            if refusal.number > self._told:
                self._told = refusal.number
                self._on_refused(*refusal[1:])
        for call in found.calls:
            if call.id not in self._tasks:
                self._tasks[call.id] = asyncio.ensure_future(self._carry(call))

    async def _carry(self, call: WaitingCall) -> None:
        try:
            response = await self._response(call)
            if response is None:
                await asyncio.sleep(LONGEST_PAUSE)  # it is fetched again after that
                return
            pause = FIRST_PAUSE
            while True:
                try:
                    await self._node.answer(call.id, response)
                    return
                except self._failures as error:
                    log.info("an answer does not reach its node now: %s", error)
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
        finally:
            self._tasks.pop(call.id, None)

    async def _response(self, call: WaitingCall) -> bytes | None:
        """The server's answer; None where it gave none: its workflow is not served here now."""
        ours, theirs = socket.socketpair()
        with contextlib.closing(ours):
            ours.setblocking(False)
            theirs.setblocking(False)
            self._serve(call.workflow_id, call.port, theirs)
            loop, read = asyncio.get_running_loop(), bytearray()
            try:
                await loop.sock_sendall(ours, call.request)
                while piece := await loop.sock_recv(ours, _PIECE):
                    read += piece
            except OSError:
                return None
            return bytes(read) if is_whole(read, ended=True) else None
