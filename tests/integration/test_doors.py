"""What one door can do, all can: each command has its resource over HTTP, or a reason why not."""

import inspect
import json
from typing import Any

from perles import ControlPlane
from perles.companion.tools import Tools
from perles.http.service import ROUTES
from tests.integration.cli import Home
from tests.integration.http_server import serving
from tests.integration.test_documentation import COMMANDS
from tests.integration.test_http import PLENTY

W = "/workflows/{id}"
COMMAND_TO_ROUTE = {
    "agent replace": f"POST {W}/agents/{{agent}}/{{verb}}",
    "agent resume": f"POST {W}/agents/{{agent}}/{{verb}}",
    "agent retire": f"POST {W}/agents/{{agent}}/{{verb}}",
    "agent spawn": f"POST {W}/agents",
    "agent stop": f"POST {W}/agents/{{agent}}/{{verb}}",
    "agents": f"GET {W}/agents",
    "answer": f"POST {W}/questions/{{number}}/answer",
    "approve": f"POST {W}/tasks/{{task}}/approve",
    "archive": f"POST {W}/archive",
    "artifacts": f"GET {W}/artifacts",
    "config reload": "POST /engine/reload",
    "create": "POST /workflows",
    "deny": f"POST {W}/tasks/{{task}}/deny",
    "diff": f"GET {W}/diff",
    "doctor": "GET /doctor",
    "engine status": "GET /engine",
    "events": "GET /events",
    "fail": f"POST {W}/fail",
    "inbox ack": "POST /inbox/ack",
    "label": f"POST {W}/labels",
    "list": "GET /workflows",
    "logs": f"GET {W}/transcript",
    "maintenance stats": "GET /stats",
    "merge": f"POST {W}/merge",
    "node drain": "POST /nodes/{name}/{verb}",
    "node resume": "POST /nodes/{name}/{verb}",
    "nodes drain": "POST /nodes/{name}/{verb}",
    "nodes resume": "POST /nodes/{name}/{verb}",
    "overlap": "GET /overlap",
    "pause": f"POST {W}/pause",
    "post": f"POST {W}/posts",
    "posts": f"GET {W}/posts",
    "pr": f"POST {W}/pull-request",
    "providers resume": "POST /providers/{name}/resume",
    "questions": "GET /questions",
    "rebase": f"POST {W}/rebase",
    "rename": f"POST {W}/rename",
    "resources history": "GET /resources/history",
    "resources reset": "POST /resources/{resource}/reset",
    "resume": f"POST {W}/resume",
    "retry": f"POST {W}/retry",
    "rm": f"DELETE {W}",
    "run": "POST /workflows",
    "send": f"POST {W}/messages",
    "sessions list": "GET /sessions",
    "set": f"POST {W}/set",
    "show": f"GET {W}",
    "start": f"POST {W}/start",
    "stop": f"POST {W}/stop",
    "tasks": f"GET {W}/tasks",
    "templates list": "GET /templates",
    "token list": "GET /tokens",
    "token revoke": "DELETE /tokens/{name}",
    "worktrees list": "GET /worktrees",
}
NOT_OVER_HTTP = {
    "a screen or a shell of the machine's own": ("dashboard", "db shell", "sessions open"),
    "follows the stream of events": ("attach", "wait"),
    "files on the machine, of its user": (
        *("config check", "config init", "config show", "db copy", "db current", "db path"),
        *("db upgrade", "engine logs", "maintenance backup", "maintenance check", "mcp install"),
        *("maintenance prune", "maintenance reconcile", "maintenance vacuum", "sessions show"),
        *("templates check", "templates graph", "templates new", "templates schema"),
        *("templates show", "trust", "worktrees clean", "worktrees du"),
    ),
    "the process that serves, or its programs": ("engine stop", "providers test", "serve"),
    "a token makes no further one": ("token create",),
}
MORE_ROUTES = {
    f"GET {W}/summary": "show --summary",
    f"GET {W}/channels": "posts",
    f"GET {W}/events": "events",
    f"GET {W}/questions": "questions",
    f"GET {W}/doctor": "doctor",
    f"POST {W}/channels/{{channel}}/read": "posts",
    "GET /agents": "agents",
    "GET /inbox": "inbox",
    "GET /nodes": "nodes",
    "GET /overview": "dashboard",
    "GET /providers": "providers list",
    "GET /resources": "resources",
    "GET /tasks": "tasks",
    "GET /whoami": "token list",
    "POST /preview": "create --dry-run",
}
TOOL_TO_COMMANDS = {
    "approve": {"approve", "deny", "answer"},
    "cost": {"agents"},
    "create": {"create", "run"},
    "diff": {"diff"},
    "list": {"list"},
    "nodes": {"nodes drain", "nodes resume"},
    "send": {"send"},
    "show": {"show"},
    "wait": {"wait"},
}


def _named(reasons: dict[str, Any]) -> list[str]:
    return [name for names in reasons.values() for name in names]


def test_each_command_has_a_resource_over_http_or_a_reason() -> None:
    served = {f"{one.method} {one.path}" for one in ROUTES}

    left = set(COMMANDS) - set(COMMAND_TO_ROUTE) - set(_named(NOT_OVER_HTTP))
    assert not left, f"these commands have no resource and no reason: {sorted(left)}"
    assert set(COMMAND_TO_ROUTE.values()) | set(MORE_ROUTES) == served
    assert not set(COMMAND_TO_ROUTE) & set(_named(NOT_OVER_HTTP))
    gone = {*COMMAND_TO_ROUTE, *_named(NOT_OVER_HTTP)} - set(COMMANDS)
    assert not gone, f"there are no such commands: {sorted(gone)}"


def test_each_tool_for_a_users_own_agent_is_a_command() -> None:
    tools = {name for name, _ in inspect.getmembers(Tools, inspect.isfunction) if name[0] != "_"}

    assert tools == set(TOOL_TO_COMMANDS)
    assert {one for some in TOOL_TO_COMMANDS.values() for one in some} <= set(COMMANDS)


def test_the_state_of_the_machine_over_http(plane: ControlPlane, home: Home) -> None:
    with serving(plane, PLENTY) as served:
        found = served.ask("GET", "/api/v1/doctor", role="admin")
        assert found.status == 200
        printed = json.loads(home.perles("doctor", "--json").stdout)
        assert {tuple(one) for one in found.json} == {tuple(one) for one in printed}
        assert served.ask("GET", "/api/v1/doctor", role="operate").status == 403
        assert served.get("/resources/history?hours=2") == []
        assert served.ask("GET", "/api/v1/resources/history?hours=0").status == 400
        reset = served.ask(
            "POST", "/api/v1/resources/tokens/reset", {"reason": "a new month"}, role="admin"
        )
        assert (reset.status, reset.json) == (200, {"resource": "tokens", "was": 0})
        unknown = {"reason": "a new month"}
        wrong = served.ask("POST", "/api/v1/resources/ports/reset", unknown, role="admin")
        assert wrong.status == 400
