"""One MCP server per running workflow: a port of its own, one token per agent.

Two protocol servers, one a role, live as long as the engine; each workflow adds a
port and a guard in front of them. The ports are held by a process that outlives the
engine (`ports`): a call that finds no engine waits there for the next one.
"""

import asyncio
import socket
from pathlib import Path
from typing import Final

from perles.mcp.guard import Guard
from perles.mcp.host import ToolHost
from perles.mcp.keeper_client import Ports
from perles.mcp.listener import Listener
from perles.mcp.protocol import Protocol
from perles.mcp.tools.by_role import TOOLS_BY_ROLE

MAX_BODY: Final = 4 * 1024 * 1024


class McpServers:
    """The servers of all running workflows, in the engine's event loop."""

    def __init__(self, host: ToolHost, home: Path) -> None:
        self._host = host
        self.ports = Ports(home, self._call, host.rejected)
        self._protocols = {
            role: Protocol(role, tools, host) for role, tools in TOOLS_BY_ROLE.items()
        }
        self._listeners: dict[str, Listener] = {}

    def start(self) -> None:
        """From now on take calls."""
        self.ports.serve()

    def open(self, workflow_id: str, port: int) -> None:
        """Serve a workflow's agents on a port that is held already; who calls early waits."""
        guard = Guard(self._host, workflow_id, port, self._protocols, max_body=MAX_BODY)
        self._listeners[workflow_id] = Listener(guard)

    def relayed(self, workflow_id: str, port: int, connection: socket.socket) -> None:
        """Answer the request on this connection, which came in at `port` of another machine.

        It is closed without an answer where the workflow is not served here now.
        """
        self._call(workflow_id, connection, port)

    def _call(self, workflow_id: str, connection: socket.socket, port: int | None = None) -> None:
        listener = self._listeners.get(workflow_id)
        if listener is None:
            connection.close()  # it was closed at this moment: nobody waits there any more
        else:
            listener.take(connection, port)

    async def close(self, workflow_id: str) -> None:
        """Stop serving a workflow; nobody listens on its port when this returns."""
        listener = self._listeners.pop(workflow_id, None)
        if listener is not None:
            await listener.close()
        await self.ports.drop(workflow_id)

    async def stop(self) -> None:
        """Serve no more. Ports that were not closed stay held, for the next engine."""
        await self.ports.rest()
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
        self._listeners.clear()
        self.ports.leave()
