"""An engine whose executor works on nodes: their turns' work and their agents' calls."""

from __future__ import annotations

from perles.engine.context import Context
from perles.engine.fleet.relays import Relays
from perles.engine.fleet.remote_work import RemoteWorks
from perles.engine.remote_turns import AsksNodes
from perles.mcp.host import ToolHost
from perles.mcp.server import McpServers


def connect(context: Context, servers: McpServers, host: ToolHost) -> Relays | None:
    """Have the work of turns on nodes carried; what follows their calls, to be started.

    None where all turns run on this machine.
    """
    executor = context.executor
    if not isinstance(executor, AsksNodes):
        return None
    works = RemoteWorks(context, executor.asker)
    context.remote = works
    return Relays(context, executor.asker, servers.relayed, host.rejected, works.clear)
