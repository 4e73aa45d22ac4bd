"""The keeper's event loop: file descriptors, and what to call when one is ready.

The keeper lives as long as workflows do, so it imports next to nothing: `socket`, `selectors` and
`asyncio` would be more memory than all that it does. Their cores, written in C, are enough here.
"""

import os
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET, socket
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from sys import byteorder

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[int], None]

READ = EPOLLIN | EPOLLRDHUP
WRITE = EPOLLOUT
HANGUP = EPOLLRDHUP
BROKEN = EPOLLHUP | EPOLLERR
FD_BYTES = 4
MESSAGE_BYTES = 1024


class Loop:
    """Waits for sockets and calls their handlers."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._handlers: dict[int, Handler] = {}

    def watch(self, sock: socket, events: int, handler: "Handler") -> None:
        """Call `handler` with what is ready, from now on for these events."""
        fd = sock.fileno()
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, sock: socket) -> None:
        """Watch it no more; nothing happens where it was not watched."""
        if self._handlers.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def turn(self, seconds: float) -> None:
        """Wait up to `seconds` (-1: without end), and handle what is ready."""
        for fd, events in self._epoll.poll(seconds):
            handler = self._handlers.get(fd)
            if handler is not None:  # else one before it in this turn ended it
                handler(events)


def accept(listener: socket) -> socket:
    """A connection that waits. Raises `BlockingIOError`, `OSError`."""
    fd, _ = listener._accept()  # type: ignore[attr-defined]  # the stubs know it one class further
    return socket(fileno=fd)


def send_with(channel: socket, message: bytes, fd: int | None = None) -> None:
    """One message, with a descriptor. Raises `BlockingIOError`, `OSError`."""
    if fd is None:
        channel.sendmsg([message])
    else:
        rights = (SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(FD_BYTES, byteorder))
        channel.sendmsg([message], [rights])


def receive_with(channel: socket) -> tuple[bytes, socket | None]:
    """One message and the socket that came with it; an empty one at the end.

    Raises `BlockingIOError`, `OSError`.
    """
    message, extra, _, _ = channel.recvmsg(MESSAGE_BYTES, CMSG_SPACE(FD_BYTES), MSG_CMSG_CLOEXEC)
    found = None
    for level, kind, data in extra:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            found = int.from_bytes(data[:FD_BYTES], byteorder)
    if found is None:
        return message, None
    try:
        return message, socket(fileno=found)
    except OSError:
        os.close(found)  # no socket
        return message, None
