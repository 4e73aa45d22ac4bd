"""The process that holds the workflows' ports while engines come and go.

An engine starts the first one, with a channel to it, and hands it each listening socket; the next
engine finds it by its socket in the home folder. It accepts agents' calls, reads them whole, and
asks the engine of the moment. It ends when no engine is there and no port is left to hold.

On the channel, a message each, some with a descriptor:
engine → keeper: `list`, `hold ID` + socket, `drop ID`, `serve`, `rest`;
keeper → engine: `held ID` + socket, `end` after the last one, `ok` for hold, drop and rest,
`call ID` + socket, `refused STATUS COUNT ID WHY`. `again ID` + socket is a `hold` without `ok`.
"""

import os
import struct
from _socket import AF_UNIX, SO_PEERCRED, SOCK_SEQPACKET, SOL_SOCKET, socket
from collections import deque

from perles.keeper.calls import Calls
from perles.keeper.loop import READ, WRITE, Loop, accept, receive_with, send_with

SOCKET_NAME = "keeper.sock"
LOCK_NAME = "perles.db.lock"
SERVER_LOCK_NAME = "perles.server.lock"
"""Names the engine of this home that leads a database on a server, where its lock is held."""
NODE_LOCK_NAME = "node.lock"
"""In the folder of a node, which hands calls on to the engine and is the keeper's engine itself."""
LOOK_SECONDS = 5.0
_CREDENTIALS = "3i"


class Keeper:
    """One per home folder, which is the process's current folder when it begins."""

    def __init__(self, channel: socket) -> None:
        self._loop = Loop()
        self._calls = Calls(self._loop, self._offer)
        self._unsent: deque[tuple[bytes, socket | None]] = deque()
        self._home = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._door = socket(AF_UNIX, SOCK_SEQPACKET)
        self._inode = _bind(self._door, self._home)
        self._engine: socket | None = None
        if self._inode:
            self._loop.watch(self._door, READ, self._on_door)
        self._take(channel)

    def run(self) -> None:
        """Until nobody needs it any more."""
        while self._engine is not None or (self._calls.workflows() and self._is_at_home()):
            self._loop.turn(self._calls.patience(LOOK_SECONDS if self._engine is None else -1))
            self._calls.tick()
        if self._is_at_home():
            os.unlink(SOCKET_NAME, dir_fd=self._home)
        for workflow in list(self._calls.workflows()):
            self._calls.drop(workflow)
        self._door.close()
        os.close(self._home)

    def _is_at_home(self) -> bool:
        """Whether the next engine would find this very process."""
        try:
            return os.stat(SOCKET_NAME, dir_fd=self._home).st_ino == self._inode
        except OSError:
            return False

    def _on_door(self, _events: int) -> None:
        try:
            channel = accept(self._door)
        except OSError:
            return  # the client has gone again, or we are short of descriptors
        if self._is_engine(channel):
            self._take(channel)
        else:
            channel.close()

    def _is_engine(self, channel: socket) -> bool:
        """Whether the peer is the one that the lock of the engine names."""
        size = struct.calcsize(_CREDENTIALS)
        pid, uid, _ = struct.unpack(_CREDENTIALS, channel.getsockopt(SOL_SOCKET, SO_PEERCRED, size))
        return uid == os.getuid() and any(
            _written(name, self._home) == b"%d" % pid
            for name in (LOCK_NAME, NODE_LOCK_NAME, SERVER_LOCK_NAME)
        )

    def _take(self, channel: socket) -> None:
        """From now on this is the engine."""
        self._lose()
        channel.setblocking(False)
        self._engine = channel
        self._loop.watch(channel, READ, self._on_engine)

    def _lose(self) -> None:
        if self._engine is not None:
            self._loop.forget(self._engine)
            self._engine.close()
            self._engine = None
            self._unsent.clear()
            self._calls.withdraw()

    def _on_engine(self, events: int) -> None:
        engine = self._engine
        assert engine is not None
        try:
            if events & WRITE:
                self._flush(engine)
            message, given = receive_with(engine)
            if not message:
                self._lose()
                return
            self._obey(message.decode(), given)
        except BlockingIOError:
            return
        except OSError:
            self._lose()

    def _obey(self, message: str, given: "socket | None") -> None:
        verb, _, workflow = message.partition(" ")
        if verb == "list":
            for held, listener in self._calls.workflows().items():
                self._say(f"held {held}".encode(), listener)
            self._say(b"end")
            return
        if verb == "serve":
            self._calls.serve()
            return
        if verb in ("hold", "again") and given is not None:
            self._calls.hold(workflow, given)
        elif verb == "drop":
            self._calls.drop(workflow)
        elif verb == "rest":
            self._calls.withdraw()
        if verb != "again":
            self._say(b"ok")

    def _say(self, message: bytes, given: "socket | None" = None) -> None:
        """Tell the engine, now or as soon as its channel takes more."""
        self._unsent.append((message, given))
        if self._engine is not None and len(self._unsent) == 1:
            try:
                self._flush(self._engine)
            except BlockingIOError:
                self._loop.watch(self._engine, READ | WRITE, self._on_engine)

    def _flush(self, engine: socket) -> None:
        while self._unsent:
            message, given = self._unsent[0]
            if given is None or given.fileno() >= 0:
                send_with(engine, message, None if given is None else given.fileno())
            self._unsent.popleft()
        self._loop.watch(engine, READ, self._on_engine)
        self._calls.ask_all()

    def _offer(self, message: bytes, given: "socket | None") -> bool:
        """Tell the engine, if it takes it now."""
        if self._engine is None or self._unsent:
            return False
        try:
            send_with(self._engine, message, None if given is None else given.fileno())
        except BlockingIOError:
            self._loop.watch(self._engine, READ | WRITE, self._on_engine)
            return False
        except OSError:
            return False  # gone, which its own handler will see
        return True


def _written(name: str, home: int) -> bytes:
    """The pid in a lock; b"" where there is no such lock."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=home)
    except OSError:
        return b""
    try:
        return os.read(fd, 32).strip()
    except OSError:
        return b""
    finally:
        os.close(fd)


def _bind(door: socket, home: int) -> int:
    """Have the next engine find us; the inode of the socket. An earlier keeper's is dead by now.

    0 where the file system has no sockets: then the ports live as long as this engine.
    """
    door.setblocking(False)
    before = os.umask(0o077)
    try:
        _unlink(home)
        door.bind(SOCKET_NAME)
        door.listen(8)
        return os.stat(SOCKET_NAME, dir_fd=home).st_ino
    except OSError:
        return 0
    finally:
        os.umask(before)


def _unlink(home: int) -> None:
    try:
        os.unlink(SOCKET_NAME, dir_fd=home)
    except FileNotFoundError:
        pass  # the first one here


def main() -> None:
    """Hold the ports of the home folder that is the current one; the channel is on descriptor 0."""
    keeper = Keeper(socket(fileno=os.dup(0)))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.chdir("/")
    keeper.run()
