"""`perles mcp`: a real client of the SDK over a real process; and how it is installed."""

import asyncio
import json
import subprocess
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client

from perles.aio import ControlPlane
from perles.companion import install, offers, server
from perles.companion.offers import NEEDS
from perles.companion.stdio import Output
from perles.companion.tools import Tools
from perles.domain.tokens import READ
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

DEADLINE = 180.0


@asynccontextmanager
async def _client(home: Home, *words: str) -> AsyncIterator[ClientSession]:
    command, *rest = home.argv("mcp", *words)
    server = StdioServerParameters(
        command=command, args=[str(one) for one in rest], env=home.environ, cwd=str(home.work)
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def _call(session: ClientSession, tool: str, **arguments: Any) -> Any:
    result: Any = await session.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return json.loads(result.content[0].text)


async def _refused(session: ClientSession, tool: str, **arguments: Any) -> str:
    result: Any = await session.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)


async def test_an_agent_runs_a_workflow_in_the_background(home: Home) -> None:
    home.pipeline(
        "p",
        [
            {"key": "a", "run": "echo hi"},
            {"key": "ok", "assignee": "human", "question": "deploy?", "after": ["a"]},
        ],
    )
    async with _client(home) as session:
        tools = {tool.name for tool in (await session.list_tools()).tools}
        assert tools == set(NEEDS)
        made = await _call(session, "create", file="p.yaml", name="nightly", labels={"a": "b"})
        assert made["status"] == "succeeded"
        home.wait_for("the question", lambda: home.json("inbox", "--json"))

        waiting = await _call(session, "list", filter="is:waiting label:a=b")
        assert [one["id"] for one in waiting["workflows"]] == [made["id"]]
        goes_on = await _call(session, "wait", id="nightly", timeout_s=0.05)
        assert (goes_on["reached"], goes_on["state"]) == (False, "running")
        assert (await _call(session, "approve", id="nightly", task="ok"))["status"] == "succeeded"
        done = await _call(session, "wait", id="nightly", timeout_s=DEADLINE)
        assert (done["reached"], done["state"]) == (True, "completed")

        shown = await _call(session, "show", id="nightly")
        assert [task["status"] for task in shown["tasks"]] == ["done", "done"]
        cost = await _call(session, "cost", id="nightly")
        assert {agent["name"] for agent in cost["agents"]} >= {"coordinator", "worker-1"}
        assert {one["cost"] for one in (cost, *cost["agents"], done, shown)} == {"0.00 USD"}
        with closing(dbapi.connect(home.database, timeout=DEADLINE)) as connection, connection:
            connection.execute("UPDATE workflows SET tokens_used = 500")
        for answer in ("cost", "show", "wait"):
            assert (await _call(session, answer, id="nightly"))["cost"] == "cost unknown"
        (listed,) = (await _call(session, "list"))["workflows"]
        assert listed["cost"] == "cost unknown"
        assert {row["resource"] for row in (await _call(session, "cost"))["resources"]} > {"tokens"}
        read: Any = await session.read_resource(f"perles://workflows/{made['id']}")
        assert json.loads(read.contents[0].text)["state"] == "completed"
        told: Any = await session.read_resource(f"perles://sessions/{made['id']}")
        assert json.loads(told.contents[0].text)["name"] == "nightly"
        templates: Any = await session.list_resource_templates()
        assert len(templates.resource_templates) == 2


async def test_a_command_and_what_cannot_be(home: Home) -> None:
    async with _client(home) as session:
        made = await _call(session, "create", command="echo a && exit 3")
        done = await _call(session, "wait", id=made["id"], timeout_s=DEADLINE)
        assert done["state"] == "failed"

        assert "give one of goal" in await _refused(session, "create")
        assert "cannot find workflow 'nope'" in await _refused(session, "show", id="nope")
        assert "perles show" in await _refused(session, "send", id=made["id"], text="hi")
        assert "did you mean 'state'" in await _refused(session, "list", filter="stat:x")
        assert "--worktree makes one" in await _refused(session, "diff", id=made["id"])
        await _refused(session, "wait", id=made["id"], timeout_s="long")


async def test_a_role_limits_what_is_there(home: Home) -> None:
    async with _client(home, "--role", "read") as session:
        tools = {tool.name for tool in (await session.list_tools()).tools}
        assert tools == {name for name, needed in NEEDS.items() if needed == READ}
        await _refused(session, "create", command="true")
    assert home.json("list", "--json") == []
    assert home.perles("mcp", "--role", "root").returncode == 2


def test_each_request_is_answered_whatever_is_in_it(home: Home) -> None:
    def asked(id: int, method: str, **params: Any) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    lines = (
        "[" * 200_000,
        '{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}',
        asked(1, "resources/read", uri="perles://workflows/\ud800"),
        asked(2, "tools/call", name="show", arguments={"id": "\ud800"}),
        asked(3, "ping"),
    )
    command, *rest = home.argv("mcp")
    with subprocess.Popen(
        [command, *map(str, rest)],
        env=home.environ,
        cwd=home.work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{line}\n" for line in lines))
        process.stdin.flush()
        found = [json.loads(process.stdout.readline()) for _ in lines]
        process.stdin.close()
    assert process.returncode == 0
    assert [one["error"]["code"] for one in found if one["id"] is None] == [-32700, -32600]
    answers = {one["id"]: one for one in found}
    assert answers[1]["error"]["message"]
    assert answers[2]["result"]["isError"]
    assert answers[3]["result"] == {}


def _asked(id: int, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n"


def test_all_piped_requests_are_answered_before_it_ends(home: Home) -> None:
    made = home.perles("create", "--name", "p", "--", "true")
    assert made.returncode == 0, made.stderr
    given = (
        _asked(1, "initialize", protocolVersion="2025-06-18", capabilities={}),
        _asked(2, "tools/list"),
        _asked(3, "tools/call", name="list", arguments={}),
        _asked(4, "tools/call", name="wait", arguments={"id": "p", "timeout_s": 0.5}),
        _asked(5, "ping").rstrip("\n"),
    )
    done = home.run(home.argv("mcp"), input="".join(given))
    assert done.returncode == 0, done.stderr
    answers = {one["id"]: one["result"] for one in map(json.loads, done.stdout.splitlines())}
    assert sorted(answers) == [1, 2, 3, 4, 5]
    assert json.loads(answers[4]["content"][0]["text"])["reached"] is False


def test_it_ends_where_nobody_reads_what_it_would_answer(home: Home) -> None:
    assert home.perles("create", "--name", "p", "--", "true").returncode == 0
    with subprocess.Popen(
        home.argv("mcp"),
        env=home.environ,
        cwd=home.work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        wait = {"id": "p", "timeout_s": 10 * DEADLINE}
        process.stdin.write(_asked(1, "tools/call", name="wait", arguments=wait))
        process.stdin.write(_asked(2, "ping"))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 2
        process.stdout.close()
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


async def test_a_bug_in_a_resource_is_answered(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_tools: Tools, _id: str) -> Any:
        raise RuntimeError("a bug")

    written: asyncio.Queue[Any] = asyncio.Queue()
    answers: list[Any] = []

    class Kept(Output):
        def write(self, message: dict[str, Any]) -> None:
            written.put_nowait(message)

    async def lines() -> AsyncIterator[bytes]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "resources/read"}
        yield json.dumps({**asked, "params": {"uri": "perles://broken"}}).encode()
        async with asyncio.timeout(DEADLINE):
            answers.append(await written.get())

    resource = offers.Resource("perles://broken", "broken", "", broken)
    monkeypatch.setattr(offers, "RESOURCES", (resource,))
    monkeypatch.setattr(server, "lines", lines)
    async with ControlPlane(home.root) as plane:
        await server.Server(plane, READ, Kept(1)).run()
    (answer,) = answers
    assert (answer["id"], answer["error"]["code"]) == (1, -32603)
    assert "a bug" not in answer["error"]["message"]


@pytest.mark.parametrize("client", install.CLIENTS)
def test_it_is_written_into_the_configuration_once(home: Home, client: str) -> None:
    environ = {"HOME": str(home.work), "PATH": home.environ["PATH"]}
    path = install.path_of(client, environ)
    server = install.Server(["/bin/perles", "mcp"], {"PERLES_HOME": '/a "b"'})
    path.parent.mkdir(parents=True, exist_ok=True)
    is_toml = path.suffix == ".toml"
    path.write_text('model = "x"\n' if is_toml else '{"model": "x"}')
    path.chmod(0o640)

    assert install.write(client, server, environ)
    first = path.read_text()
    assert not install.write(client, server, environ)

    found = tomllib.loads(first) if is_toml else json.loads(first)
    assert found["model"] == "x"
    one = found[install.CLIENTS[client].key][install.NAME]
    assert one == install.CLIENTS[client].form(server)
    assert "/bin/perles" in json.dumps(one)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o640
    written = install.lines(client, server)
    shown = tomllib.loads(written) if is_toml else json.loads(written)
    assert shown[install.CLIENTS[client].key][install.NAME] == one


def test_a_file_that_cannot_be_read_is_left_alone(home: Home) -> None:
    path = home.work / ".claude.json"
    path.write_text("{ // mine\n}")
    home.environ["HOME"] = str(home.work)

    done = home.perles("mcp", "install", "claude", "--write")

    assert (done.returncode, "by hand" in done.stderr) == (2, True)
    assert path.read_text() == "{ // mine\n}"
    assert home.perles("mcp", "install", "claud").stderr.count("did you mean 'claude'") == 1
    shown = home.json("mcp", "install", "gemini", "--json")
    assert (Path(shown["path"]).name, shown["written"]) == ("settings.json", False)


def test_the_installed_server_has_the_home_the_configuration_and_the_database(home: Home) -> None:
    config = home.work / "own.yaml"
    config.write_text("{}")
    environ = {"XDG_CONFIG_HOME": str(home.work / "xdg"), "PERLES_DATABASE": "sqlite"}
    home.environ |= environ

    shown = home.perles("--config", "own.yaml", "mcp", "install", "opencode", "--json")

    told = json.loads(shown.stdout)
    assert told["path"] == f"{environ['XDG_CONFIG_HOME']}/opencode/opencode.json"
    given = json.loads(told["lines"])["mcp"][install.NAME]["environment"]
    assert given == {**environ, "PERLES_HOME": str(home.root), "PERLES_CONFIG": str(config)}


def test_the_installed_server_has_the_folders_as_perles_reads_their_variables() -> None:
    given = {"HOME": "/home/me", "PERLES_HOME": "~/other", "XDG_CONFIG_HOME": "not/absolute"}

    env = install.server_here(given, READ).env

    assert env == {"PERLES_HOME": str(Path("~/other").expanduser())}


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/db", "postgresql://host/db?user=me&password=secret"]
)
def test_a_password_is_not_written_into_the_configuration_of_a_client(home: Home, url: str) -> None:
    done = home.perles("mcp", "install", "codex", "--write", PERLES_DATABASE=url)

    assert (done.returncode, "holds a password" in done.stderr) == (2, True)
    assert "secret" not in done.stderr + done.stdout
