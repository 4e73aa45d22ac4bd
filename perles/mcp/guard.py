"""Who may speak to a workflow's server: checked before the protocol sees a byte.

In this order: Host and Origin are this machine's own (a web page in a browser
cannot reach the tools), path, the token is that of an agent of this very
workflow, the body is bounded and JSON. Each refusal is recorded.
"""

import json
from collections.abc import Mapping
from typing import Any

from perles.domain.errors import LateCallError
from perles.mcp.host import Caller, ToolHost
from perles.mcp.http import Request, Response
from perles.mcp.protocol import Protocol


class _Refusal(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Guard:
    """Lets agents of one workflow through to the tools of their role."""

    def __init__(
        self,
        host: ToolHost,
        workflow_id: str,
        port: int,
        protocols: Mapping[str, Protocol],
        *,
        max_body: int,
    ) -> None:
        self._host = host
        self._workflow_id = workflow_id
        self._port = port
        self._protocols = protocols
        self._max_body = max_body

    async def answer(self, request: Request, port: int | None = None) -> Response:
        """Answer one request; `port` is where it came in, None for the workflow's own port."""
        try:
            headers = _headers(request)
            caller = self._admit(request, headers, port or self._port)
            if request.method != "POST":
                return Response(405, headers=(("Allow", "POST"),))  # nothing is streamed here
            message = self._message(request.body)
            return await self._protocols[caller.role].answer(caller, message, headers)
        except LateCallError as late:
            refusal = _Refusal(409, str(late))
        except _Refusal as found:
            refusal = found
        self._host.rejected(self._workflow_id, refusal.status, 1, refusal.why)
        return _refused(refusal)

    def _admit(self, request: Request, headers: Mapping[str, str], port: int) -> Caller:
        """The agent that calls. Raises `_Refusal`, `LateCallError`."""
        names = (f"127.0.0.1:{port}", f"localhost:{port}")
        if headers.get("host") not in names:
            raise _Refusal(421, "wrong Host")
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://") not in names:
            raise _Refusal(403, "wrong Origin")
        if request.path != "/mcp":
            raise _Refusal(404, "no such path; the server is at /mcp")
        kind, _, token = headers.get("authorization", "").partition(" ")
        caller = self._host.identify(token.strip()) if kind.lower() == "bearer" else None
        if caller is None or caller.workflow_id != self._workflow_id:
            raise _Refusal(401, "no token" if not token else "wrong token")
        if caller.role not in self._protocols:
            raise _Refusal(403, f"no tools for a {caller.role}")
        return caller

    def _message(self, body: bytes) -> dict[str, Any]:
        """The body, at most `max_body` bytes of a JSON object. Raises `_Refusal`."""
        if len(body) > self._max_body:
            raise _Refusal(413, f"body over {self._max_body} bytes")
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise _Refusal(400, "invalid JSON") from None
        if not isinstance(parsed, dict):
            raise _Refusal(400, "not one JSON-RPC request")
        return parsed


def _headers(request: Request) -> dict[str, str]:
    """The headers; one that stands twice where it may not is refused."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name in found and name in ("host", "origin", "authorization", "content-length"):
            raise _Refusal(400, f"header {name} stands twice")
        found[name] = value
    return found


def _refused(refusal: _Refusal) -> Response:
    challenge = (("WWW-Authenticate", "Bearer"),) if refusal.status == 401 else ()
    return Response(refusal.status, json.dumps({"error": refusal.why}).encode(), challenge)
