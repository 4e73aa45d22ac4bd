"""I9: who has no right token, or is not this machine, gets nothing, and leaves an event."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home


class Running(NamedTuple):
    """A workflow whose worker sleeps, with its port and its agents' tokens."""

    home: Home
    id: str
    port: int
    tokens: dict[str, str]


@pytest.fixture
def running(home: Home) -> Running:
    return _start(home, "sleeper")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running workflow for the tests that leave it as it is."""
    home = Home(tmp_path_factory.mktemp("shared"))
    yield _start(home, "sleeper")
    home.perles("stop", "--force", "sleeper")
    home.perles("engine", "stop")


def _start(home: Home, name: str) -> Running:
    id = home.perles("create", home.pipeline(name, [{"key": "a", "run": "sleep 60"}])).stdout
    id = id.strip()
    if home.perles("engine", "status").returncode:
        home.perles("serve", "--detach")
    assert home.perles("start", id).returncode == 0
    shown = home.wait_for(
        "a worker at work",
        lambda: (
            (found := home.json("show", id, "--json"))
            and any(agent["phase"] == "implementing" for agent in found["agents"])
            and found
        ),
    )
    session = Path(shown["session_dir"])
    names = ("coordinator", "worker-1")
    return Running(
        home,
        id,
        shown["mcp_port"],
        {name: (session / name / "token").read_text() for name in names},
    )


def _post(
    running: Running,
    body: bytes | dict[str, Any],
    *,
    token: str | None,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    path: str = "/mcp",
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    given = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **({} if token is None else {"Authorization": f"Bearer {token}"}),
        **(headers or {}),
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(connection):
        connection.request(method, path, body=data, headers=given)
        response = connection.getresponse()
        answer = response.read()
    try:
        return response.status, json.loads(answer)
    except ValueError:
        return response.status, {}


def _call(tool: str, **arguments: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _refusals(running: Running) -> list[dict[str, Any]]:
    return [event["payload"] for event in running.home.events("--type", "security.rejected")]


HOSTILE: dict[str, tuple[dict[str, Any], int]] = {
    "no token": ({"token": None}, 401),
    "wrong token": ({"token": "x" * 43}, 401),
    "empty token": ({"token": ""}, 401),
    "wrong host": ({"headers": {"Host": "evil.example"}}, 421),
    "rebound host": ({"headers": {"Host": "127.0.0.1.evil.example"}}, 421),
    "wrong origin": ({"headers": {"Origin": "http://evil.example"}}, 403),
    "null origin": ({"headers": {"Origin": "null"}}, 403),
    "huge body": ({"body": b"x" * 10_000_000}, 413),
    "invalid JSON": ({"body": b"{no json"}, 400),
    "deep JSON": ({"body": b"[" * 100_000}, 400),
    "no object": ({"body": b"[1]"}, 400),
    "wrong path": ({"path": "/admin"}, 404),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_i9_a_hostile_request_gets_nothing_and_leaves_an_event(running: Running, name: str) -> None:
    options, status = HOSTILE[name]
    given = {"body": _call("list_tasks"), "token": running.tokens["coordinator"]} | options

    try:
        found, answer = _post(running, **given)
    except (BrokenPipeError, ConnectionResetError):
        assert name == "huge body"  # it was cut off while it still sent
    else:
        assert found == status
        assert "tasks" not in json.dumps(answer)
    running.home.wait_for(
        "the event", lambda: [r for r in _refusals(running) if r["status"] == status]
    )


def test_i9_a_token_of_another_workflow_is_refused(running: Running) -> None:
    other = _start(running.home, "other")

    status, _ = _post(running, _call("list_tasks"), token=other.tokens["coordinator"])

    assert status == 401


def test_i9_a_token_is_void_once_its_workflow_has_ended(running: Running) -> None:
    other = _start(running.home, "other")
    running.home.perles("stop", running.id, "--force")

    status, _ = _post(other, _call("list_tasks"), token=running.tokens["coordinator"])

    assert status == 401


def test_a_flood_of_refusals_is_counted_not_recorded_one_by_one(running: Running) -> None:
    for _ in range(200):
        _post(running, _call("list_tasks"), token="wrong")

    assert 1 <= len(_refusals(running)) < 20


def test_identity_comes_from_the_token_alone(shared: Running) -> None:
    body = _call("query_worker_state")

    as_worker = _post(shared, body, token=shared.tokens["worker-1"])[1]
    as_coordinator = _post(shared, body, token=shared.tokens["coordinator"])[1]

    assert as_worker["result"]["isError"] is True  # not a worker's tool
    assert as_coordinator["result"]["structuredContent"]["workers"][0]["worker_id"] == "worker-1"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_call("assign_task", worker_id="worker-1"), "task_id"),
        (_call("assign_task", worker_id=3, task_id="a"), "worker_id"),
        (_call("assign_task", worker_id="worker-1", task_id="a", sudo=True), "sudo"),
        (_call("mark_task_failed", task_id="a", reason=""), "reason"),
        (_call("signal_workflow_complete", status="great", summary="x"), "status"),
        (_call("mark_task_complete", task_id="x" * 300), "task_id"),
        (_call("format_disk"), "your tools are"),
        (_call("list_tasks", status=["a"]), "status"),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    shared: Running, body: dict[str, Any], said: str
) -> None:
    _, answer = _post(shared, body, token=shared.tokens["coordinator"])

    assert answer["result"]["isError"] is True
    assert said in answer["result"]["content"][0]["text"]


def test_an_agent_that_is_not_at_work_changes_nothing(shared: Running) -> None:
    shared.home.wait_for(
        "the coordinator's turn to end",
        lambda: shared.home.json("show", shared.id, "--json")["agents"][0]["status"] == "ready",
    )

    _, answer = _post(shared, _call("spawn_worker"), token=shared.tokens["coordinator"])

    assert answer["result"]["isError"] is True
    assert len(shared.home.json("show", shared.id, "--json")["agents"]) == 2


def test_any_mcp_client_can_list_the_tools_of_its_role(shared: Running) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    by_role = {
        name: {tool["name"] for tool in _post(shared, body, token=token)[1]["result"]["tools"]}
        for name, token in shared.tokens.items()
    }

    assert by_role["worker-1"] == set(TOOLS_BY_ROLE["worker"])
    assert {"signal_ready", "report_implementation_complete", "fabric_send"} <= by_role["worker-1"]
    assert {"list_tasks", "spawn_worker", "assign_task"} <= by_role["coordinator"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_calls_tools(shared: Running, mode: Any) -> None:
    headers = {"Authorization": f"Bearer {shared.tokens['coordinator']}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"http://127.0.0.1:{shared.port}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            listed = await client.list_tools()
            called = await client.call_tool("list_tasks", {})
            refused = await client.call_tool("assign_task", {"worker_id": "worker-1"})

    assert "list_tasks" in {tool.name for tool in listed.tools}
    assert called.structured_content is not None
    assert [task["key"] for task in called.structured_content["tasks"]] == ["a"]
    assert refused.is_error


WRONG: dict[str, tuple[dict[str, Any], int, int | None]] = {
    "no JSON-RPC": ({"id": 1, "method": "ping"}, 200, -32600),
    "a method that is no text": ({"jsonrpc": "2.0", "id": 1, "method": 7}, 200, -32600),
    "an id that is a list": ({"jsonrpc": "2.0", "id": [1], "method": "ping"}, 200, -32600),
    "no such method": ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, 200, -32601),
    "a list of params": ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, 200, -32602),
    "no tool": ({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}, 200, -32602),
    "a notification": ({"jsonrpc": "2.0", "method": "notifications/initialized"}, 202, None),
    "an answer": ({"jsonrpc": "2.0", "id": 1, "result": {}}, 202, None),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_message_that_is_no_good_request_is_answered_as_json_rpc_says(
    shared: Running, name: str
) -> None:
    body, status, code = WRONG[name]

    found, answer = _post(shared, body, token=shared.tokens["coordinator"])

    assert (found, answer.get("error", {}).get("code")) == (status, code)


def test_the_protocol_of_the_client_is_spoken_where_it_is_known(shared: Running) -> None:
    def introduced(version: str) -> str:
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {}}
        body = {"jsonrpc": "2.0", "id": "x", "method": "initialize", "params": params}
        answer = _post(shared, body, token=shared.tokens["worker-1"])[1]
        assert answer["id"] == "x"
        return str(answer["result"]["protocolVersion"])

    newest = introduced("2099-01-01")
    assert introduced("2024-11-05") == "2024-11-05"
    assert introduced(newest) == newest
    unknown = {"MCP-Protocol-Version": "2099-01-01"}
    token = shared.tokens["worker-1"]
    assert _post(shared, _call("list_tasks"), token=token, headers=unknown)[0] == 400


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nothing_is_streamed_and_no_session_ended(shared: Running, method: str) -> None:
    assert _post(shared, b"", token=shared.tokens["worker-1"], method=method)[0] == 405


def test_an_engine_loads_no_library_to_serve_agents() -> None:
    code = "import sys, perles.engine.engine, perles.mcp.server; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"mcp", "pydantic", "starlette", "uvicorn", "httpx2"} & {*loaded.stdout.split()}


def test_no_token_stands_in_rows_events_logs_or_argv(shared: Running) -> None:
    token = shared.tokens["worker-1"]
    for path in shared.home.root.rglob("*"):
        if path.is_file() and path.name not in ("token",):
            assert token.encode() not in path.read_bytes(), path
    pid = next(
        agent["pid"]
        for agent in shared.home.json("show", shared.id, "--json")["agents"]
        if agent["name"] == "worker-1"
    )
    assert token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_session_folders_and_tokens_are_private(shared: Running) -> None:
    session = Path(shared.home.json("show", shared.id, "--json")["session_dir"])

    assert (shared.home.root.stat().st_mode & 0o777) == 0o700
    assert ((session / "worker-1").stat().st_mode & 0o777) == 0o700
    assert ((session / "worker-1" / "token").stat().st_mode & 0o777) == 0o600


def test_a_token_of_one_turn_is_good_while_that_turn_lives(running: Running) -> None:
    token = running.tokens["worker-1"]
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    mine = running.home.wait_for("the turn", lambda: _live_turn(running))

    assert _post(running, question, token=f"{token}.{mine}")[0] == 200
    for other in ("0", "999999", "x", ""):
        assert _post(running, question, token=f"{token}.{other}")[0] == 401

    running.home.perles("pause", "sleeper")
    running.home.perles("resume", "sleeper")
    running.home.wait_for("the next turn", lambda: _live_turn(running) not in (None, mine))
    status, answer = _post(running, question, token=f"{token}.{mine}")

    assert status == 409
    assert f"turn {mine}" in answer["error"]
    running.home.wait_for(
        "the event", lambda: [one for one in _refusals(running) if one["status"] == 409]
    )


def _live_turn(running: Running) -> int | None:
    """The turn of the worker that runs now."""
    with closing(dbapi.connect(running.home.database)) as database:
        found = database.execute(
            "SELECT turns.id FROM turns JOIN agents ON agents.id = turns.agent_id"
            " WHERE agents.name = 'worker-1' AND turns.status = 'running'"
        ).fetchone()
    return None if found is None else int(found[0])
