"""A small MCP client over HTTP, for the builtin agents only.

While the engine is being restarted a call waits at its port. Where that was lost the
connection is refused or reset, or nobody answers for a minute: the call is made again,
with the same key, so that one that was carried out before is not carried out twice. What
was worked out is not thrown away because nobody is there to hear it tonight: an engine
that is away is waited for, for `ABSENCE` seconds; one that answers with its own errors,
for `PATIENCE`.
"""

import os
import time

from perles.agents.builtin.lean_stdlib import connect, dumps, loads, socket

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

PATIENCE = 120.0
ABSENCE = 7 * 86400.0
PROTOCOL = "2025-06-18"


class CallFailed(Exception):
    """The tool, or the server, refused."""


class Client:
    """Calls tools of the workflow's server with the agent's own token."""

    def __init__(self, url: str, token: str) -> None:
        address, _, path = url.removeprefix("http://").partition("/")
        self._address = address
        self._path = "/" + path
        self._token = token
        self._socket: socket | None = None
        self._rest = b""
        self._number = 0
        self._key = f"{os.getpid()}-{time.time_ns()}"

    @classmethod
    def from_environment(cls) -> "Client":
        """The client that the engine meant this process to have."""
        return cls(os.environ["PERLES_MCP_URL"], os.environ["PERLES_MCP_TOKEN"])

    def call(self, tool: str, **arguments: object) -> "Json":
        """The tool's structured result. Raises `CallFailed` with what the server said."""
        self._number += 1
        key = f"{self._key}-{self._number}"
        request = {
            "jsonrpc": "2.0",
            "id": self._number,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }
        status, body = self._post(dumps(request).encode(), key)
        if status != 200:
            raise CallFailed(f"{tool}: HTTP {status}: {body[:200].decode(errors='replace')}")
        answer = loads(body)
        if "error" in answer:
            raise CallFailed(f"{tool}: {answer['error'].get('message')}")
        result = answer["result"]
        if result.get("isError"):
            raise CallFailed(f"{tool}: {result['content'][0]['text']}")
        structured: Json = result["structuredContent"]
        return structured

    def _post(self, body: bytes, key: str) -> tuple[int, bytes]:
        begun = time.monotonic()
        pause = 0.05
        while True:
            try:
                status, answer = self._exchange(body, key)
                if status < 500:
                    return status, answer
                problem, patience = f"HTTP {status}", PATIENCE
            except OSError as error:
                problem, patience = str(error), ABSENCE
            self._hang_up()
            if time.monotonic() - begun > patience:
                raise CallFailed(f"the engine does not answer: {problem}")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _exchange(self, body: bytes, key: str) -> tuple[int, bytes]:
        if self._socket is None:
            host, _, port = self._address.partition(":")
            self._socket = connect(host, int(port), timeout=60)
            if self._socket.getsockname() == self._socket.getpeername():
                # Where nobody listens a socket can meet itself, and would hold the engine's port.
                self._hang_up()
                raise ConnectionRefusedError("nobody listens")
            self._rest = b""
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._address}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: {PROTOCOL}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        return self._read_answer()

    def _read_answer(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        if headers.get("connection", "").lower() == "close":
            self._hang_up()
        return int(lines[0].split(" ")[1]), body

    def _receive(self) -> None:
        assert self._socket is not None
        piece = self._socket.recv(65536)
        if not piece:
            raise ConnectionResetError("the engine hung up")
        self._rest += piece

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
