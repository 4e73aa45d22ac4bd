"""Which role has which tools."""

from typing import Final

from perles.mcp.tools.accounts import GENERATE_ACCOUNT, POST_ACCOUNT
from perles.mcp.tools.ask_user import ASK_USER
from perles.mcp.tools.coordinator import COORDINATOR_TOOLS
from perles.mcp.tools.fabric import FABRIC_TOOLS, OBSERVER_TOOLS
from perles.mcp.tools.review import COORDINATOR_REVIEW_TOOLS, WORKER_REVIEW_TOOLS
from perles.mcp.tools.task_status import TASK_TOOLS
from perles.mcp.tools.team import TEAM_TOOLS
from perles.mcp.tools.tool import Tool
from perles.mcp.tools.worker import WORKER_TOOLS

_LOOKING: Final = tuple(tool for tool in (*COORDINATOR_TOOLS, *TASK_TOOLS) if tool.read is not None)
"""What changes nothing."""
_OF_ROLE: Final[dict[str, tuple[Tool, ...]]] = {
    "coordinator": (
        *COORDINATOR_TOOLS,
        *COORDINATOR_REVIEW_TOOLS,
        *TEAM_TOOLS,
        *TASK_TOOLS,
        ASK_USER,
        GENERATE_ACCOUNT,
        *FABRIC_TOOLS,
    ),
    "worker": (*WORKER_TOOLS, *WORKER_REVIEW_TOOLS, ASK_USER, POST_ACCOUNT, *FABRIC_TOOLS),
    "observer": (*OBSERVER_TOOLS, *_LOOKING),
}
TOOLS_BY_ROLE: Final[dict[str, dict[str, Tool]]] = {
    role: {tool.name: tool for tool in tools} for role, tools in _OF_ROLE.items()
}
