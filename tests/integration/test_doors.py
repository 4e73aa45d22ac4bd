"""What one door can do, all can: each command has its resource over HTTP, or a reason why not."""

import inspect
import json
import re
from typing import Any

from perles import ControlPlane, aio
from perles.companion.tools import Tools
from perles.http.routes.table import MODULES, ROUTES
from tests.integration.cli import Home
from tests.integration.http_server import serving
from tests.integration.test_documentation import COMMANDS, PATHS
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
    "GET /providers": "providers",
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
METHOD_TO_COMMAND = {
    "ack": "inbox ack",
    "agent": "agent spawn",
    "agents": "agents",
    "answer": "answer",
    "approve": "approve",
    "archive": "archive",
    "artifacts": "artifacts",
    "backup": "maintenance backup",
    "channels": "posts",
    "check": "maintenance check",
    "clean_worktrees": "worktrees clean",
    "cluster": "nodes",
    "copy_database": "db copy",
    "correct": "retry",
    "create": "create",
    "create_token": "token create",
    "deny": "deny",
    "diff": "diff",
    "doctor": "doctor",
    "drain_node": "nodes drain",
    "engine_status": "engine status",
    "fail": "fail",
    "get": "show",
    "inbox": "inbox",
    "label": "label",
    "list": "list",
    "logs": "logs",
    "mark_read": "posts",
    "merge": "merge",
    "migrate": "db upgrade",
    "nodes": "nodes",
    "overlap": "overlap",
    "pause": "pause",
    "post": "post",
    "posts": "posts",
    "preview": "create",
    "preview_correction": "retry",
    "providers": "providers",
    "prune": "maintenance prune",
    "pull_request": "pr",
    "questions": "questions",
    "read_events": "events",
    "rebase": "rebase",
    "reconcile": "maintenance reconcile",
    "reload_config": "config reload",
    "remove": "rm",
    "rename": "rename",
    "repair": "maintenance reconcile",
    "reset_total": "resources reset",
    "resource_history": "resources history",
    "resources": "resources",
    "resume": "resume",
    "resume_node": "nodes resume",
    "resume_provider": "providers resume",
    "retry": "retry",
    "revoke_token": "token revoke",
    "schemas": "db current",
    "send": "send",
    "serve": "serve",
    "sessions": "sessions list",
    "set": "set",
    "stand_by": "serve",
    "start": "start",
    "stats": "maintenance stats",
    "stop": "stop",
    "stop_engine": "engine stop",
    "subscribe": "events",
    "subscribe_filtered": "events",
    "subscribe_workflow": "attach",
    "summary": "show",
    "tasks": "tasks",
    "templates": "templates list",
    "tokens": "token list",
    "try_provider": "providers test",
    "vacuum": "maintenance vacuum",
    "wait": "wait",
    "worktree_bytes": "worktrees du",
    "worktrees": "worktrees list",
}
NO_COMMAND = {
    "the program's own use of the façade": ("close", "events", "place", "reads_kept_open"),
    "an engine for the program, which commands begin and end by themselves": (
        *("ensure_engine", "shutdown", "engine_runs", "engine_comes_back", "engine_trouble"),
        *("is_attended", "wait_for_idle_engine", "environ"),
    ),
    "a step of the commands that change a workflow": ("ask", "request", "outcome", "need_person"),
    "a part of what a command prints or refuses": (
        *("database_error", "database_name", "database_path", "last_seq", "machine_of_outputs"),
        *("registry", "secrets_of", "seq_before", "staff", "state_of", "tasks_for_nodes"),
        *("unknown_sessions", "unused_settings", "variables_of", "worktree"),
    ),
    "the configuration as the code reads it": ("config", "engine_config"),
    "the words that a shell completes": ("words", "workflow_words"),
    "how a server knows who asks": ("has_token", "token_holder"),
    "a program's own place in the events": ("forget_cursor",),
}
"""Public names of `ControlPlane` that are no command."""
OTHERWISE_OVER_HTTP = {
    "the route reads it itself": ("list",),
    "the route for events": ("logs", "subscribe", "subscribe_filtered"),
    "in the answer of engine_status": ("cluster",),
    "reads a file of the machine's user, and changes nothing": ("preview_correction",),
}
"""Methods whose command has a route that does not call them."""


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


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if name[0] != "_"}


def test_each_method_of_the_facade_is_a_command_and_a_route_or_says_why_not() -> None:
    reasons = _named(NO_COMMAND)

    assert {*METHOD_TO_COMMAND, *reasons} == _public(ControlPlane)
    assert not set(METHOD_TO_COMMAND) & set(reasons)
    assert set(METHOD_TO_COMMAND.values()) <= set(PATHS)
    routed = {*COMMAND_TO_ROUTE, *MORE_ROUTES.values()}
    of_routes = {name for name, command in METHOD_TO_COMMAND.items() if command in routed}
    sources = "".join(inspect.getsource(module) for module in MODULES)
    called = {name for name in of_routes if re.search(rf"\basking\.{name}\b", sources)}
    assert of_routes - called == set(_named(OTHERWISE_OVER_HTTP))


def test_each_method_can_be_awaited_by_its_name_or_by_call() -> None:
    """`call` reaches every function; those with a name of their own take no other arguments."""
    for name in METHOD_TO_COMMAND:
        assert inspect.isfunction(inspect.getattr_static(ControlPlane, name)), name
    named = _public(aio.ControlPlane) - {"call"}
    assert named <= _public(ControlPlane)
    for name in named:
        known = inspect.signature(getattr(ControlPlane, name)).parameters
        taken = inspect.signature(getattr(aio.ControlPlane, name)).parameters
        assert set(taken) <= set(known), name


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
