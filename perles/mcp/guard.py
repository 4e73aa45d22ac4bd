"""Who may speak to a workflow's server: checked before the protocol sees a byte.

In this order: Host and Origin are this machine's own (a web page in a browser
cannot reach the tools), path, the token is that of an agent of this very
workflow, the body is bounded and JSON. Each refusal is recorded.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from perles.mcp.host import ToolHost

CALLER: Final = "perles.caller"
"""The key of the request's scope where the `Caller` stands."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Refusal(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Guard:
    """An ASGI application that lets agents of one workflow through to those of their role."""

    def __init__(
        self,
        host: ToolHost,
        workflow_id: str,
        port: int,
        applications: dict[str, Application],
        *,
        max_body: int,
    ) -> None:
        self._host = host
        self._workflow_id = workflow_id
        self._names = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._applications = applications
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        try:
            headers = _headers(scope)
            role = self._admit(scope, headers)
            body = await self._body(scope, headers, receive)
        except _Refusal as refusal:
            self._host.rejected(self._workflow_id, refusal.status, 1, refusal.why)
            await _refuse(send, refusal)
            return
        await self._applications[role](scope, _replay(body, receive), send)

    def _admit(self, scope: Scope, headers: dict[str, str]) -> str:
        """The role of the agent that calls. Raises `_Refusal`."""
        if headers.get("host") not in self._names:
            raise _Refusal(421, "wrong Host")
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://") not in self._names:
            raise _Refusal(403, "wrong Origin")
        if scope["path"] != "/mcp":
            raise _Refusal(404, "no such path; the server is at /mcp")
        kind, _, token = headers.get("authorization", "").partition(" ")
        caller = self._host.identify(token.strip()) if kind.lower() == "bearer" else None
        if caller is None or caller.workflow_id != self._workflow_id:
            raise _Refusal(401, "no token" if not token else "wrong token")
        if caller.role not in self._applications:
            raise _Refusal(403, f"no tools for a {caller.role}")
        scope[CALLER] = caller
        return caller.role

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> bytes:
        """The whole body, at most `max_body` bytes of JSON. Raises `_Refusal`."""
        if scope["method"] != "POST":
            return b""
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._max_body:
            raise _Refusal(413, f"body over {self._max_body} bytes")
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refusal(400, "the caller hung up")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_body:
                raise _Refusal(413, f"body over {self._max_body} bytes")
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise _Refusal(400, "invalid JSON") from None
        if not isinstance(parsed, dict):
            raise _Refusal(400, "not one JSON-RPC request")
        return bytes(body)


def _headers(scope: Scope) -> dict[str, str]:
    """The headers, lower-case; one that stands twice where it may not is refused."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in found and key in ("host", "origin", "authorization", "content-length"):
            raise _Refusal(400, f"header {key} stands twice")
        found[key] = value.decode("latin-1")
    return found


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then whatever comes."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, refusal: _Refusal) -> None:
    body = json.dumps({"error": refusal.why}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
