"""The MCP protocol, as far as tools need it: stateless JSON-RPC, an answer for each request.

So an agent in the middle of a turn does not notice when the engine is replaced. The official
SDK's server does the same and far more; it costs a third of the engine's memory and a second of
its start. Its client is what the tests call this with.
"""

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any, Final

from perles.domain.errors import LateCallError, PerlesError
from perles.mcp.host import Caller, ToolHost
from perles.mcp.http import Response
from perles.mcp.tools.tool import Tool
from perles.version import __version__

log = logging.getLogger(__name__)

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Those that begin with `initialize`; a client of a newer kind goes back to one of them."""
MAX_KEY: Final = 200

_INVALID_REQUEST: Final = -32600
_NO_SUCH_METHOD: Final = -32601
_INVALID_PARAMS: Final = -32602

Json = dict[str, Any]


class _Failure(Exception):
    """What JSON-RPC calls an error: the request itself was wrong."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class Protocol:
    """The server of one role's tools, for all workflows."""

    def __init__(self, role: str, tools: Mapping[str, Tool], host: ToolHost) -> None:
        self._tools, self._host = tools, host
        self._name = f"perles-{role}"
        self._aliases = {tool.alias: tool for tool in tools.values() if tool.alias}

    async def answer(self, caller: Caller, message: Json, headers: Mapping[str, str]) -> Response:
        """Answer one JSON-RPC message of an agent. Raises `LateCallError`."""
        asked = headers.get("mcp-protocol-version", VERSIONS[-1])
        if asked not in VERSIONS:
            text = f"cannot speak MCP {asked[:40]!r}; this server speaks {', '.join(VERSIONS)}"
            return _error(None, _INVALID_REQUEST, text, status=400)
        id = message.get("id")
        try:
            _check(message)
            if "method" not in message or id is None:
                return Response(202)  # a notification, or an answer to what we never ask
            result = await self._result(caller, message["method"], message.get("params"), headers)
        except _Failure as failure:
            return _error(id, failure.code, failure.message)
        return _json({"jsonrpc": "2.0", "id": id, "result": result})

    async def _result(
        self, caller: Caller, method: str, params: object, headers: Mapping[str, str]
    ) -> Json:
        given = {} if params is None else params
        if not isinstance(given, dict):
            raise _Failure(_INVALID_PARAMS, "params must be an object")
        if method == "initialize":
            return self._introduction(given.get("protocolVersion"))
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": self._listed(self._host.hides(caller))}
        if method == "tools/call":
            return await self._call(caller, given, headers.get("idempotency-key"))
        raise _Failure(_NO_SUCH_METHOD, f"no method {method[:200]!r} here")

    def _listed(self, hidden: Collection[str]) -> list[Json]:
        return [
            tool.listed_by_alias if tool.alias and tool.name in hidden else tool.listed
            for tool in self._tools.values()
        ]

    def _introduction(self, wanted: object) -> Json:
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": self._name, "version": __version__},
        }

    async def _call(self, caller: Caller, params: Json, key: str | None) -> Json:
        """Check and carry out one call. Every failure is told to the agent in words."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            raise _Failure(_INVALID_PARAMS, "tools/call needs the name of a tool")
        if arguments is not None and not isinstance(arguments, dict):
            raise _Failure(_INVALID_PARAMS, "the arguments of a tool must be an object")
        tool = self._tools.get(name) or self._aliases.get(name)
        if tool is None:
            return _failed(f"cannot call {name[:200]!r}: your tools are {', '.join(self._tools)}")
        try:
            return _done(await self._carried_out(caller, tool, arguments, key))
        except LateCallError:
            raise  # the guard turns it away, as it does those that come later still
        except PerlesError as error:
            return _failed(str(error))
        except Exception:  # a bug in one tool must not end the server; the agent is told, we log it
            log.exception("tool %s of %s failed", name, caller.name)
            return _failed(f"cannot carry out {name}: internal error; try once more, then go on")

    async def _carried_out(
        self, caller: Caller, tool: Tool, arguments: Json | None, key: str | None
    ) -> Json:
        checked = tool.check(arguments)
        if tool.read is not None:
            found = tool.read(self._host.reader(), caller, checked)
            if tool.shows is not None:
                self._host.seen(caller, tool.shows(found))
            return found
        given = tool.plain(checked)
        return await self._host.command(caller, tool.name, given, key and key[:MAX_KEY])


def _check(message: Json) -> None:
    """Raise `_Failure` for what is no message of JSON-RPC 2.0."""
    id, method = message.get("id"), message.get("method", "")
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise _Failure(_INVALID_REQUEST, "not a message of JSON-RPC 2.0")
    if not isinstance(id, str | int | None) or isinstance(id, bool):
        raise _Failure(_INVALID_REQUEST, "the id must be a text or a whole number")


def _done(result: Json) -> Json:
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=False)
    content = [{"type": "text", "text": text}]
    return {"content": content, "structuredContent": result, "isError": False}


def _failed(text: str) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _error(id: object, code: int, message: str, *, status: int = 200) -> Response:
    known = id if isinstance(id, str | int) and not isinstance(id, bool) else None
    error = {"code": code, "message": message}
    return _json({"jsonrpc": "2.0", "id": known, "error": error}, status)


def _json(value: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(value, separators=(",", ":")).encode())
