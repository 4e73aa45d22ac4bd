"""One client's request: read, asked of an engine as often as it takes, and answered.

An engine that dies with the request in its hands has not answered; the next one is asked again,
with the same key, so that what was carried out before is not carried out twice. The client only
waits meanwhile.
"""

import time
from _socket import AF_UNIX, IPPROTO_TCP, SHUT_WR, SOCK_STREAM, TCP_NODELAY, socket, socketpair

from perles.keeper.answer import is_whole
from perles.keeper.loop import BROKEN, HANGUP, READ, WRITE, Loop
from perles.keeper.request import HEAD_BYTES, Refused, Request, parse

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from typing import Protocol

    class Owner(Protocol):
        """Who knows the engine, and all the exchanges."""

        def ask(self, exchange: "Exchange") -> None:
            """Give it to an engine, now or when there is one."""

        def ended(self, exchange: "Exchange") -> None:
            """It is over, its sockets are closed."""

        def has_room(self, length: int) -> bool:
            """Whether a body of `length` bytes can be read now."""

        def refused(self, workflow: str, status: int, why: str) -> None:
            """Somebody was turned away."""


HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0
SEND_SECONDS = 60.0
LINGER_SECONDS = 2.0
PIECE = 65_536
ANSWER_BYTES = 16 * 1024 * 1024
"""An answer beyond it is handed on as it comes."""
TRIES = 3
"""How often one engine is asked that gives no answer but lives."""


class Exchange:
    """A client's connection, from its first byte to its last."""

    def __init__(self, loop: Loop, owner: "Owner", workflow: str, client: socket) -> None:
        self._loop, self._owner, self._client = loop, owner, client
        self.workflow = workflow
        self.tries = 0
        self.deadline: float | None = time.monotonic() + HEAD_SECONDS
        """When it is given up; None: it waits for an engine's answer."""
        self._request: Request | None = None
        self._read = bytearray()
        self._engine: socket | None = None
        self._asked = b""
        self._answer = bytearray()
        self._handed_on = False
        self._replied = False
        self._over = False
        client.setblocking(False)
        client.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        loop.watch(client, READ, self._on_request)

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, or will."""
        request = len(self._read) if self._request is None else self._request.length
        return request + len(self._answer)

    @property
    def is_read(self) -> bool:
        """Whether the request is here, whole."""
        return self._request is not None and self.deadline is None

    def _on_request(self, _events: int) -> None:
        try:
            piece = self._client.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not piece:
            self.close()
            return
        self._read += piece
        try:
            self._look()
        except Refused as refused:
            self.refuse(refused)

    def _look(self) -> None:
        """See whether the request is whole by now. Raises `Refused`."""
        if self._request is None:
            end = self._read.find(b"\r\n\r\n")
            if end < 0 or end > HEAD_BYTES:
                if len(self._read) > HEAD_BYTES:
                    raise Refused(431, f"header over {HEAD_BYTES} bytes")
                return
            request = parse(bytes(self._read[:end]))
            if not self._owner.has_room(request.length):
                raise Refused(503, "too many requests at once")
            self._request = request
            del self._read[: end + 4]
            self.deadline = time.monotonic() + BODY_SECONDS
        if len(self._read) >= self._request.length:
            body = bytes(self._read[: self._request.length])
            self._read.clear()
            self._asked = self._request.head + body
            self.deadline = None
            self._loop.watch(self._client, HANGUP, lambda _: self.close())
            self._owner.ask(self)

    def ask(self) -> socket:
        """Begin to ask an engine; what the engine gets of it, which the caller closes."""
        self._drop_engine()
        self.tries += 1
        ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
        ours.setblocking(False)
        self._engine, rest = ours, memoryview(self._asked)
        self._answer.clear()

        def on_engine(events: int) -> None:
            nonlocal rest
            try:
                if rest and events & WRITE:
                    rest = rest[ours.send(rest) :]
                    if not rest:
                        self._loop.watch(ours, READ, on_engine)
                if events & (READ | BROKEN):
                    self._on_answer(ours.recv(PIECE))
            except BlockingIOError:
                return
            except OSError:
                self._on_answer(b"")

        self._loop.watch(ours, READ | WRITE, on_engine)
        return theirs

    def withdraw(self) -> None:
        """Its engine is gone: what that had begun to say does not count, if the client has not
        had of it."""
        if self._handed_on:
            self.close()
        else:
            self._drop_engine()

    def _on_answer(self, piece: bytes) -> None:
        self._answer += piece
        streams = self._request is not None and self._request.streams
        if (streams and piece) or len(self._answer) > ANSWER_BYTES or self._handed_on:
            self._hand_on(ended=not piece)
            return
        if is_whole(self._answer, ended=not piece):
            self._give(bytes(self._answer))
            return
        if not piece:
            self._drop_engine()
            if self.tries >= TRIES:
                self.refuse(Refused(502, "the engine gave no answer"))
                return
            self._owner.ask(self)

    def _hand_on(self, *, ended: bool) -> None:
        """Pass on what there is; a client that is too slow for it is let go."""
        self._handed_on = True
        try:
            while self._answer:
                del self._answer[: self._client.send(self._answer)]
        except OSError:
            self.close()
            return
        if ended:
            self.close()

    def refuse(self, refused: Refused) -> None:
        """Turn the client away, in words where it still listens."""
        self._owner.refused(self.workflow, refused.status, refused.why)
        self._give(refused.answer(), linger=True)

    def _give(self, answer: bytes, *, linger: bool = False) -> None:
        self._drop_engine()
        self._replied = True
        self.deadline = time.monotonic() + SEND_SECONDS
        rest = memoryview(answer)

        def on_client(events: int) -> None:
            nonlocal rest
            if events & BROKEN:
                self.close()
                return
            try:
                rest = rest[self._client.send(rest) :]
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if not rest:
                self._linger() if linger else self.close()

        self._loop.watch(self._client, WRITE, on_client)
        on_client(0)

    def _linger(self) -> None:
        """Read what is still under way: closing before would take the answer back."""
        self.deadline = time.monotonic() + LINGER_SECONDS
        try:
            self._client.shutdown(SHUT_WR)
        except OSError:
            self.close()
            return

        def on_rest(_events: int) -> None:
            try:
                if not self._client.recv(PIECE):
                    self.close()
            except BlockingIOError:
                return
            except OSError:
                self.close()

        self._loop.watch(self._client, READ, on_rest)

    def overdue(self) -> None:
        """Its time is up."""
        if self._read and not self._replied:
            self.refuse(Refused(408, "the request did not come in time"))
        else:
            self.close()

    def _drop_engine(self) -> None:
        if self._engine is not None:
            self._loop.forget(self._engine)
            self._engine.close()
            self._engine = None

    def close(self) -> None:
        """Let the client go."""
        if not self._over:
            self._over = True
            self._drop_engine()
            self._loop.forget(self._client)
            self._client.close()
            self._owner.ended(self)
