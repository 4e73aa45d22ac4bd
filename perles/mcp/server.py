"""One MCP server per running workflow: a port of its own, one token per agent.

The protocol is the official SDK's, stateless with JSON answers, so that an agent
in the middle of a turn does not notice when the engine is replaced. Two protocol
servers, one a role, live as long as the engine; each workflow adds a listening
socket and a guard in front of them.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from perles.domain.errors import PerlesError
from perles.mcp.guard import CALLER, Application, Guard
from perles.mcp.host import Caller, ToolHost
from perles.mcp.tools import TOOLS_BY_ROLE
from perles.mcp.tools.tool import Tool
from perles.version import __version__

log = logging.getLogger(__name__)

MAX_BODY: Final = 4 * 1024 * 1024
MAX_KEY: Final = 200
CLOSE_SECONDS: Final = 1


class McpServers:
    """The servers of all running workflows, in the engine's event loop."""

    def __init__(self, host: ToolHost) -> None:
        self._host = host
        self._managers = {
            role: _manager(role, tools, host) for role, tools in TOOLS_BY_ROLE.items()
        }
        self._stack = contextlib.AsyncExitStack()
        self._running: dict[str, tuple[_Listener, asyncio.Task[None]]] = {}

    async def start(self) -> None:
        """Start the protocol servers; nothing listens yet."""
        for manager in self._managers.values():
            await self._stack.enter_async_context(manager.run())

    async def open(self, workflow_id: str, listener: socket.socket) -> None:
        """Serve a workflow's agents on a socket that listens already."""
        applications: dict[str, Application] = {
            role: manager.handle_request for role, manager in self._managers.items()
        }
        port = listener.getsockname()[1]
        guard = Guard(self._host, workflow_id, port, applications, max_body=MAX_BODY)
        server = _Listener(_uvicorn_config(guard))
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        self._running[workflow_id] = (server, task)
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0)
        if task.done():
            del self._running[workflow_id]
            await task

    async def close(self, workflow_id: str) -> None:
        """Stop serving a workflow; its socket is closed when this returns."""
        found = self._running.pop(workflow_id, None)
        if found is not None:
            server, task = found
            server.leave()
            await task

    async def stop(self) -> None:
        """Close everything."""
        await asyncio.gather(*(self.close(workflow_id) for workflow_id in list(self._running)))
        await self._stack.aclose()


class _Listener(uvicorn.Server):
    """A server that leaves the process's signals alone: they are the engine's.

    It sleeps until it is told to leave, where uvicorn's own looks ten times a second,
    which is a percent of a core with a hundred workflows.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._left = asyncio.Event()

    def leave(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._left.set()

    async def main_loop(self) -> None:
        """Wait for the end. The one tick sets the headers of every answer."""
        await self.on_tick(0)
        await self._left.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="h11",
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )


def _manager(role: str, tools: dict[str, Tool], host: ToolHost) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        app=_protocol_server(role, tools, host),
        json_response=True,
        stateless=True,
        # The guard has checked Host and Origin by then, against the workflow's own port.
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=MAX_BODY,
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
