"""The ports of workflows, held by a process that outlives the engine (`perles.keeper`).

The engine has each listening socket, too, so that it can give them to another keeper when the one
that it has dies. Only when both die at once a port is lost.
"""

import _socket
import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from perles.config.home import Paths
from perles.keeper.loop import receive_with, send_with
from perles.keeper.whereabouts import connect, peer

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 10.0
RESPAWN_SECONDS: Final = 2.0
ROOT: Final = str(Path(__file__).parents[2])
CODE: Final = (
    "import sys; sys.path.append(sys.argv[1]); from perles.keeper.main import main; main()"
)

_Core = _socket.socket

OnCall = Callable[[str, socket.socket], None]
OnRefused = Callable[[str, int, int, str], None]


class Ports:
    """The keeper of this home, as its engine sees it."""

    def __init__(self, home: Path, on_call: OnCall, on_refused: OnRefused) -> None:
        self._home = home
        self._on_call, self._on_refused = on_call, on_refused
        self._held: dict[str, socket.socket] = {}
        self._channel: socket.socket | None = None
        self._pid = 0
        self._pidfd: int | None = None
        self._asked: deque[asyncio.Future[None]] = deque()
        self._serves = False
        self._may_spawn = False
        self._spawned_at = -RESPAWN_SECONDS
        self._left = False

    async def start(self, *, may_spawn: bool) -> None:
        """Take over what an earlier keeper holds; else start one, where that is allowed."""
        self._may_spawn = may_spawn
        with contextlib.suppress(OSError):
            if await self._take_over(connect(self._home)):
                return
        if may_spawn:
            self._spawn()

    def need(self) -> None:
        """Have a keeper from now on: start one where an earlier one was not found."""
        self._may_spawn = True
        if self._channel is None:
            self._spawn()
            self._hand_over()

    def held(self, workflow_id: str) -> socket.socket | None:
        """The socket that a workflow listens on; None where none was kept."""
        return self._held.get(workflow_id)

    def all_held(self) -> list[str]:
        """The workflows whose ports are held."""
        return list(self._held)

    async def hold(self, workflow_id: str, listener: socket.socket) -> None:
        """Have this port held from now on, whatever becomes of this engine."""
        self._held[workflow_id] = listener
        await self._ask(f"hold {workflow_id}", listener)

    async def drop(self, workflow_id: str) -> None:
        """Close a workflow's port; nobody listens there when this returns."""
        listener = self._held.pop(workflow_id, None)
        if listener is not None:
            await self._ask(f"drop {workflow_id}")
            listener.close()

    async def drop_others(self, workflow_ids: set[str]) -> None:
        """Close the ports of all but these workflows."""
        for workflow_id in set(self._held) - workflow_ids:
            await self.drop(workflow_id)

    def serve(self) -> None:
        """From now on take calls."""
        self._serves = True
        self._say("serve")

    async def rest(self) -> None:
        """Take no more calls: the next engine answers the open ones."""
        self._serves = False
        await self._ask("rest")

    def leave(self) -> None:
        """Let go of the keeper. It goes on with the ports that it holds, or ends."""
        self._left = True
        self._close()
        for listener in self._held.values():
            listener.close()
        self._held.clear()

    async def _take_over(self, channel: socket.socket) -> bool:
        """Have all that is held. False where no answer comes: it is hung, or refuses us."""
        try:
            self._held = await asyncio.to_thread(_inherit, channel)
        except OSError as error:
            log.warning("the keeper of the ports gives no answer: %s", error)
            channel.close()
            return False
        channel.setblocking(False)
        self._use(channel, peer(channel))
        return True

    def _spawn(self) -> None:
        """Start a keeper and hand it all ports."""
        self._spawned_at = asyncio.get_running_loop().time()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            # Its output is never ours: it outlives us, and a reader of ours would wait for it.
            with Paths(self._home).engine_log().open("ab") as output:
                child = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", CODE, ROOT],
                    cwd=self._home,
                    env={"PERLES_HOME": str(self._home)},
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            log.error("cannot start the keeper of the ports: %s; trying again", error.strerror)
            self._replace_soon()
            return
        finally:
            theirs.close()
        child.returncode = 0  # it outlives us; `_close` takes its status where it does not
        self._use(ours, child.pid)

    def _use(self, channel: socket.socket, pid: int) -> None:
        self._channel = channel
        self._pid = pid
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(channel.fileno(), self._read)

    def _read(self) -> None:
        channel = self._channel
        assert channel is not None
        try:
            while True:
                message, given = receive_with(channel)
                if not message:
                    self._lost()
                    return
                self._heed(message.decode(), given)
        except BlockingIOError:
            return
        except OSError:
            self._lost()

    def _heed(self, message: str, given: _Core | None) -> None:
        verb, _, rest = message.partition(" ")
        if verb == "ok" and self._asked:
            answered = self._asked.popleft()
            if not answered.done():
                answered.set_result(None)
        elif verb == "call" and given is not None:
            self._on_call(rest, _socket_of(given))
        elif verb == "refused":
            status, count, workflow_id, why = rest.split(" ", 3)
            self._on_refused(workflow_id, int(status), int(count), why)

    async def _ask(self, message: str, listener: socket.socket | None = None) -> None:
        """Say it, and wait until it is done; where the keeper dies, its successor knows."""
        if self._channel is None:
            return
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(answered)
        self._say(message, listener)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await answered
        except TimeoutError:
            log.error("the keeper of the ports hangs; starting another")
            self._lost()

    def _say(self, message: str, listener: socket.socket | None = None) -> None:
        if self._channel is None:
            return  # the next keeper will know
        fd = None if listener is None else listener.fileno()
        try:
            self._channel.settimeout(ANSWER_SECONDS)  # it reads whatever else it does
            send_with(self._channel, message.encode(), fd)
            self._channel.setblocking(False)
        except OSError:
            self._lost()

    def _lost(self) -> None:
        """The keeper died, or hangs: another one gets all ports."""
        self._close(kill=True)
        if self._left or not self._may_spawn:
            return
        log.warning("the keeper of the ports is gone; starting another")
        self._replace_soon()

    def _replace_soon(self) -> None:
        loop = asyncio.get_running_loop()
        # One that cannot live is not started without end.
        loop.call_at(max(loop.time(), self._spawned_at + RESPAWN_SECONDS), self._replace)

    def _replace(self) -> None:
        if not self._left and self._channel is None:
            self._spawn()
            self._hand_over()

    def _hand_over(self) -> None:
        """Give a new keeper all ports."""
        for workflow_id, listener in self._held.items():
            self._say(f"again {workflow_id}", listener)
        if self._serves:
            self._say("serve")

    def _close(self, *, kill: bool = False) -> None:
        if self._channel is None:
            return
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._channel.close()
        self._channel = None
        for answered in self._asked:
            if not answered.done():
                answered.set_result(None)
        self._asked.clear()
        if self._pidfd is not None:
            if kill:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)


def _inherit(channel: socket.socket) -> dict[str, socket.socket]:
    """The sockets that a keeper holds, by workflow. Raises `OSError`."""
    channel.settimeout(ANSWER_SECONDS)
    send_with(channel, b"list")
    found: dict[str, socket.socket] = {}
    while True:
        message, given = receive_with(channel)
        verb, _, workflow_id = message.decode().partition(" ")
        if verb == "held" and given is not None:
            found[workflow_id] = _socket_of(given)
        elif verb == "end":
            return found
        else:
            for listener in found.values():
                listener.close()
            raise ConnectionResetError("it hung up")


def _socket_of(raw: _Core) -> socket.socket:
    made = socket.socket(fileno=raw.detach())
    made.setblocking(False)
    return made
