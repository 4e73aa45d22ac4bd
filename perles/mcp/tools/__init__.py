"""The tools, by role: what agents may ask for, and in what form."""

from typing import Final

from perles.mcp.tools.coordinator import COORDINATOR_TOOLS
from perles.mcp.tools.fabric import FABRIC_TOOLS, OBSERVER_TOOLS
from perles.mcp.tools.task_status import TASK_TOOLS
from perles.mcp.tools.team import TEAM_TOOLS
from perles.mcp.tools.tool import Tool
from perles.mcp.tools.worker import WORKER_TOOLS

TOOLS_BY_ROLE: Final[dict[str, dict[str, Tool]]] = {
    "coordinator": {
        tool.name: tool for tool in (*COORDINATOR_TOOLS, *TEAM_TOOLS, *TASK_TOOLS, *FABRIC_TOOLS)
    },
    "worker": {tool.name: tool for tool in (*WORKER_TOOLS, *FABRIC_TOOLS)},
    "observer": {tool.name: tool for tool in OBSERVER_TOOLS},
}
