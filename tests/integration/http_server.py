"""The HTTP server in a thread of the test, and requests to it, well-formed or as any bytes."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from perles import ControlPlane
from perles.http.guard import Address
from perles.http.limits import Limits
from perles.http.server import Server
from perles.http.token_facade import Base
from tests.integration.cli import DEADLINE


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error that it tells."""
        found: dict[str, Any] = self.json["error"]
        return found


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Served(NamedTuple):
    """A server and a token of each role."""

    plane: ControlPlane
    port: int
    tokens: dict[str, str]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str | None = "admin",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own; `body` is sent as JSON, bytes as they are."""
        given: dict[str, str] = {}
        if role is not None:
            given["Authorization"] = f"Bearer {self.tokens[role]}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            given["Content-Type"] = "application/json"
        given |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with closing(connection):
            connection.request(method, path, body=data, headers=given)
            found = connection.getresponse()
            return Answer(found.status, {**dict(found.getheaders())}, found.read())

    def get(self, path: str, **options: Any) -> Any:
        """What a GET gives, as JSON."""
        found = self.ask("GET", f"/api/v1{path}", **options)
        assert found.status == 200, found
        return found.json

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """What a POST gives."""
        return self.ask("POST", f"/api/v1{path}", {} if body is None else body, **options)

    def raw(self, data: bytes, *, timeout: float = DEADLINE) -> bytes:
        """Everything that comes back for some bytes, until the server hangs up."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout)) as one:
            one.sendall(data)
            found = b""
            try:
                while piece := one.recv(65536):
                    found += piece
            except ConnectionResetError:
                pass  # it hung up with some of ours unread
            return found

    @contextmanager
    def stream(
        self, query: str = "", *, last: int | None = None, role: str = "read"
    ) -> Iterator["Stream"]:
        """The event stream."""
        one = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        head = (
            f"GET /api/v1/stream{query} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.tokens[role]}\r\n"
        )
        head += "" if last is None else f"Last-Event-ID: {last}\r\n"
        with closing(one):
            one.sendall(f"{head}\r\n".encode())
            yield Stream(one)


class Stream:
    """Events as they come."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self.id = 0
        """The last id that was told."""

    def next(self) -> dict[str, Any] | None:
        """The next event that is whole; None where the stream has ended."""
        data, id = None, self.id
        while (line := self._file.readline()).endswith(b"\n"):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                id = int(value)
            elif name == "data":
                data = json.loads(value)
            elif not line.strip():
                self.id = id
                if data is not None:
                    return dict(data)
        return None

    def take(self, count: int) -> list[int]:
        """The seqs of the next events."""
        found = [self.next() for _ in range(count)]
        return [event["seq"] for event in found if event is not None]


@contextmanager
def serving(
    plane: ControlPlane, limits: Limits, address: Callable[[int], Address] | None = None
) -> Iterator[Served]:
    """A server in a thread of its own, for the façade's home."""
    port = free_port()
    where = Address("127.0.0.1", port, False) if address is None else address(port)
    ready, loops = threading.Event(), []
    done: list[asyncio.Event] = []

    async def run() -> None:
        server = Server(Base(plane.paths.root), where, limits)
        await server.start()
        loops.append(asyncio.get_running_loop())
        done.append(asyncio.Event())
        ready.set()
        await done[0].wait()
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(DEADLINE)
    try:
        roles = ("read", "operate", "admin")
        yield Served(plane, port, {role: plane.create_token(f"{role}-1", role) for role in roles})
    finally:
        loops[0].call_soon_threadsafe(done[0].set)
        thread.join(DEADLINE)
