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
from perles.mcp import messages
from perles.mcp.host import Caller, ToolHost
from perles.mcp.http import Response
from perles.mcp.messages import VERSIONS, Failure
from perles.mcp.tools.tool import Tool

log = logging.getLogger(__name__)

MAX_KEY: Final = 200

Json = dict[str, Any]


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
            return _refused(None, Failure(messages.INVALID_REQUEST, text), 400)
        id = message.get("id")
        try:
            messages.check(message)
            if "method" not in message or id is None:
                return Response(202)  # a notification, or an answer to what we never ask
            result = await self._result(caller, message["method"], message.get("params"), headers)
        except Failure as failure:
            return _refused(id, failure)
        return _json(messages.answered(id, result))

    async def _result(
        self, caller: Caller, method: str, params: object, headers: Mapping[str, str]
    ) -> Json:
        given = messages.params_of(params)
        if method == "initialize":
            return messages.introduction(self._name, given.get("protocolVersion"), "tools")
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": self._listed(self._host.hides(caller))}
        if method == "tools/call":
            return await self._call(caller, given, headers.get("idempotency-key"))
        raise Failure(messages.NO_SUCH_METHOD, f"no method {method[:200]!r} here")

    def _listed(self, hidden: Collection[str]) -> list[Json]:
        return [
            tool.listed_by_alias if tool.alias and tool.name in hidden else tool.listed
            for tool in self._tools.values()
        ]

    async def _call(self, caller: Caller, params: Json, key: str | None) -> Json:
        """Check and carry out one call. Every failure is told to the agent in words."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            raise Failure(messages.INVALID_PARAMS, "tools/call needs the name of a tool")
        if arguments is not None and not isinstance(arguments, dict):
            raise Failure(messages.INVALID_PARAMS, "the arguments of a tool must be an object")
        tool = self._tools.get(name) or self._aliases.get(name)
        if tool is None:
            return messages.failed(
                f"cannot call {name[:200]!r}: your tools are {', '.join(self._tools)}"
            )
        try:
            return messages.done(await self._carried_out(caller, tool, arguments, key))
        except LateCallError:
            raise  # the guard turns it away, as it does later ones
        except PerlesError as error:
            return messages.failed(str(error))
        except Exception:  # a bug in one tool must not end the server; the agent is told, we log it
            log.exception("tool %s of %s failed", name, caller.name)
            return messages.failed(
                f"cannot carry out {name}: internal error; try once more, then go on"
            )

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


def _refused(id: object, failure: Failure, status: int = 200) -> Response:
    return _json(messages.refused(id, failure), status)


def _json(value: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(value, separators=(",", ":")).encode())
