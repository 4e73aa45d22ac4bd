"""The MCP protocol and its tools: the official SDK's, stateless with JSON answers.

So an agent in the middle of a turn does not notice when the engine is replaced.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from perles.domain.errors import PerlesError
from perles.mcp.guard import CALLER
from perles.mcp.host import Caller, ToolHost
from perles.mcp.tools import TOOLS_BY_ROLE
from perles.mcp.tools.tool import Tool
from perles.version import __version__

log = logging.getLogger(__name__)

MAX_KEY: Final = 200


def managers(host: ToolHost, *, max_body: int) -> dict[str, StreamableHTTPSessionManager]:
    """The protocol server of each role."""
    return {
        role: _manager(_protocol_server(role, tools, host), max_body)
        for role, tools in TOOLS_BY_ROLE.items()
    }


def _manager(server: Server[Any], max_body: int) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        app=server,
        json_response=True,
        stateless=True,
        # The guard has checked Host and Origin by then, against the workflow's own port.
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=max_body,
    )


def _protocol_server(role: str, tools: dict[str, Tool], host: ToolHost) -> Server[Any]:
    listed = [
        types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema)
        for tool in tools.values()
    ]

    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        assert context.request is not None
        caller = context.request.scope[CALLER]
        key = context.request.headers.get("idempotency-key")
        return await _call(tools, host, caller, params.name, params.arguments, key)

    return Server(
        f"perles-{role}",
        version=__version__,
        lifespan=_nothing,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


@contextlib.asynccontextmanager
async def _nothing(_: Server[Any]) -> AsyncIterator[dict[str, Any]]:
    yield {}


async def _call(
    tools: dict[str, Tool],
    host: ToolHost,
    caller: Caller,
    name: str,
    arguments: dict[str, Any] | None,
    key: str | None,
) -> types.CallToolResult:
    """Check and carry out one call. Every failure is told to the agent in words."""
    tool = tools.get(name)
    if tool is None:
        return _failed(f"cannot call {name[:200]!r}: your tools are {', '.join(tools)}")
    try:
        checked = tool.check(arguments)
        if tool.read is not None:
            return _answer(tool.read(host.reader(), caller, checked))
        given = {field: getattr(checked, field) for field in checked.__struct_fields__}
        return _answer(await host.command(caller, name, given, key and key[:MAX_KEY]))
    except PerlesError as error:
        return _failed(str(error))
    except Exception:  # a bug in one tool must not end the server; the agent is told, we log it
        log.exception("tool %s of %s failed", name, caller.name)
        return _failed(f"cannot carry out {name}: internal error; try once more, then go on")


def _answer(result: dict[str, Any]) -> types.CallToolResult:
    text = types.TextContent(text=json.dumps(result, separators=(",", ":"), ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=result)


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
