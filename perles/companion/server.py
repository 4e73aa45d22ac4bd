"""The MCP server itself: tools by role, resources, errors in words. The SDK is imported here alone.

What the SDK or a library prints would break the protocol: standard output is the protocol's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from perles.aio import ControlPlane
from perles.api.plane import ControlPlane as Plane
from perles.companion.tools import Tools, shown
from perles.domain.errors import PerlesError
from perles.domain.tokens import OPERATE, READ, allows
from perles.version import __version__

NAME: Final = "perles"
INSTRUCTIONS: Final = (
    "Perles runs workflows of AI agents, or of plain commands, in the background on this machine; "
    "they outlive you. create starts one and returns its id at once; wait waits for it; show tells "
    "how it stands; list finds others. A workflow that waits for a person says so in attention."
)
NEEDS: Final = {
    "create": OPERATE,
    "list": READ,
    "show": READ,
    "wait": READ,
    "send": OPERATE,
    "approve": OPERATE,
    "diff": READ,
    "cost": READ,
}
"""The role that each tool needs."""


def serve(plane: ControlPlane, role: str) -> None:
    """Serve on standard input and output until the client closes it."""
    made(plane, role).run("stdio")


def made(plane: ControlPlane, role: str) -> MCPServer[Any]:
    """A server with the tools of a role."""
    server: MCPServer[Any] = MCPServer(
        NAME, version=__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )
    tools = Tools(plane)
    for name, needed in NEEDS.items():
        if allows(role, needed):
            hints = ToolAnnotations(read_only_hint=needed == READ, destructive_hint=False)
            server.tool(name=name, annotations=hints)(_in_words(getattr(tools, name)))
    _add_resources(server, plane)
    return server


def _in_words(tool: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The tool, whose errors of ours reach the model as they are."""

    @wraps(tool)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await tool(*args, **kwargs)
        except PerlesError as error:
            raise ToolError(str(error)) from error

    return call


def _add_resources(server: MCPServer[Any], plane: ControlPlane) -> None:
    @server.resource("perles://workflows", mime_type="application/json")
    async def workflows() -> str:
        """The newest workflows."""
        found = await Tools(plane).list(limit=50)
        return json.dumps(found, ensure_ascii=False)

    @server.resource("perles://workflows/{id}", mime_type="application/json")
    async def workflow(id: str) -> str:
        """One workflow with its tasks and agents."""
        return json.dumps(shown(await plane.get(id)), ensure_ascii=False)

    @server.resource("perles://sessions/{id}", mime_type="application/json")
    async def session(id: str) -> str:
        """What a workflow came to, facts first, and the folder of its session."""
        folder = (await plane.get(id)).session.folder
        told = await plane.call(Plane.summary, id)
        found = {"folder": None if folder is None else str(folder), **told}
        return json.dumps(found, ensure_ascii=False)

    @server.resource("perles://inbox", mime_type="application/json")
    async def inbox() -> str:
        """What waits for the person, over all workflows."""
        return json.dumps(list(await plane.call(Plane.inbox)), ensure_ascii=False)
