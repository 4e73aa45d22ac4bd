"""Which tools a real CLI can call: ours, with its own token, and nobody else's."""

import json
import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import clis, scripts
from tests.e2e.conftest import Agents
from tests.e2e.model import Asked, Reply, Script

Scripted = Callable[..., Agents]
NAMES = list(clis.PACKAGES)
SERVER = """\
import json, sys
open({seen!r}, "a").write("x")
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    results = {{
        "initialize": {{
            "protocolVersion": asked.get("params", {{}}).get("protocolVersion"),
            "capabilities": {{"tools": {{}}}},
            "serverInfo": {{"name": "foreign", "version": "1"}},
        }},
        "tools/list": {{
            "tools": [{{"name": "foreign_tool", "inputSchema": {{"type": "object"}}}}]
        }},
    }}
    result = results.get(asked["method"], {{}})
    print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": result}}), flush=True)
"""
"""A server of the person's own, which leaves a trace when it is started."""


def _foreign_servers(agents: Agents, name: str) -> list[Path]:
    """Set up one server for all of the person's work and one for the repository; their traces."""
    home, work = agents.cli_home, agents.work
    mine, ours = (_server(agents, place) for place in ("mine", "ours"))
    if name == "claude":
        servers = {"mcpServers": {"foreign": {"command": "python3", "args": [str(mine[0])]}}}
        (home / ".claude.json").write_text(json.dumps(servers))
        servers = {"mcpServers": {"foreign2": {"command": "python3", "args": [str(ours[0])]}}}
        (work / ".mcp.json").write_text(json.dumps(servers))
    elif name == "codex":
        entry = '[mcp_servers."{}"]\ncommand = "python3"\nargs = [{}]\n'
        trusted = f'[projects.{json.dumps(str(work))}]\ntrust_level = "trusted"\n'
        text = entry.format("foreign", json.dumps(str(mine[0])))
        (home / "codex" / "config.toml").write_text(trusted + text)
        (work / ".codex").mkdir()
        text = entry.format("foreign2", json.dumps(str(ours[0])))
        (work / ".codex" / "config.toml").write_text(text)
    elif name == "gemini":
        for folder, key, (script, _) in ((home, "foreign", mine), (work, "foreign2", ours)):
            (folder / ".gemini").mkdir(exist_ok=True)
            servers = {"mcpServers": {key: {"command": "python3", "args": [str(script)]}}}
            (folder / ".gemini" / "settings.json").write_text(json.dumps(servers))
    else:
        file = home / ".config" / "opencode" / "opencode.json"
        config = json.loads(file.read_text())
        config["mcp"] = {"foreign": {"type": "local", "command": ["python3", str(mine[0])]}}
        file.write_text(json.dumps(config))
        config = {"mcp": {"foreign2": {"type": "local", "command": ["python3", str(ours[0])]}}}
        (work / "opencode.jsonc").write_text(f"// the team's\n{json.dumps(config)}")
    return [mine[1], ours[1]]


def _server(agents: Agents, place: str) -> tuple[Path, Path]:
    seen = agents.root.parent / f"{place}-was-started"
    script = agents.root.parent / f"{place}.py"
    script.write_text(SERVER.format(seen=str(seen)))
    return script, seen


@pytest.mark.parametrize("name", NAMES)
def test_no_server_of_the_person_is_started_and_none_of_its_tools_offered(
    scripted: Scripted, name: str
) -> None:
    agents = scripted()
    agents.use(name)
    traces = _foreign_servers(agents, name)

    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    offered = {tool for asked, _ in agents.model.asked for tool in asked.tools}
    assert any(tool.endswith("assign_task") for tool in offered)
    assert not [tool for tool in offered if "foreign" in tool]
    assert not [trace for trace in traces if trace.exists()]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_token_is_refused_and_nothing_is_changed(scripted: Scripted, name: str) -> None:
    """The CLI is given another token behind our back, as somebody would who guesses one."""
    agents = scripted()
    agents.use(name)
    agents.replace_program(name, _with_wrong_token(agents, name))

    id = agents.begin(name, name)

    agents.wait_for("the end of its turn", lambda: "turn.ended" in _endings(agents))
    shown = agents.json("show", id, "--json")
    assert shown["tasks"] == []
    assert shown["state"] in ("running", "failed")
    assert [agent["name"] for agent in shown["agents"]] == ["coordinator"]
    assert not [asked for asked, _ in agents.model.asked if asked.has("assign_task")]
    if shown["state"] == "running":
        assert agents.perles("stop", id, "--force").returncode == 0


def _endings(agents: Agents) -> set[str]:
    ended = {"turn.succeeded", "turn.failed"} & set(agents.types())
    return {"turn.ended"} if ended else set()


def _with_wrong_token(agents: Agents, name: str) -> Path:
    """The CLI, begun by a program that has changed the token wherever it stands."""
    sessions = shlex.quote(str(agents.root / "sessions"))
    path = agents.root.parent / f"wrong-{name}"
    path.write_text(
        "#!/bin/sh\n"
        f"find {sessions} -name '*.json' -exec "
        "sed -i 's/Bearer [A-Za-z0-9_.-]*/Bearer guessed/' {} +\n"
        "PERLES_MCP_TOKEN=guessed; export PERLES_MCP_TOKEN\n"
        f'exec {shlex.quote(str(agents.programs[name]))} "$@"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


WORKERS = ("codex", "gemini", "opencode")


class LeadsThree:
    """Gives each task to a worker of its kind, and ends when all three have reported."""

    def __init__(self) -> None:
        self._spawned = 0
        self._reported: list[str] = []
        self._done: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        """What the model says."""
        if not asked.has("assign_task"):
            return scripts.everybody(asked)
        if asked.after == "":
            self._reported += re.findall(r"reports on task (\w+)", asked.last)
            return self._next(begins="work off the tasks" in asked.last)
        if asked.after.endswith("spawn_worker"):
            (worker,) = set(re.findall(r"worker-\d+", asked.last))
            arguments = {"worker_id": worker, "task_id": WORKERS[self._spawned - 1]}
            return Reply(call="assign_task", arguments=arguments)
        return self._next(begins=asked.after.endswith("assign_task"))

    def _next(self, *, begins: bool) -> Reply:
        if begins and self._spawned < len(WORKERS):
            self._spawned += 1
            kind = WORKERS[self._spawned - 1]
            return Reply(call="spawn_worker", arguments={"provider": kind})
        if self._reported:
            key = self._reported.pop()
            self._done.add(key)
            return Reply(call="mark_task_complete", arguments={"task_id": key})
        if self._done == set(WORKERS):
            self._done.clear()
            arguments = {"status": "success", "summary": scripts.SUMMARY}
            return Reply(call="signal_workflow_complete", arguments=arguments)
        return Reply(say="that is all for now")


def test_one_workflow_mixes_them_led_by_claude(scripted: Scripted) -> None:
    """Its coordinator gives each of three tasks to a worker of another CLI."""
    agents = scripted(LeadsThree())
    agents.use(*NAMES)
    tasks = [{"key": name, "prompt": f"Work as {name}.", "worker": name} for name in WORKERS]
    file = agents.pipeline("mixed", tasks, workers=3)

    result = agents.perles("run", file, "--coordinator", "claude", timeout=180)

    assert result.returncode == 0, result.stdout + result.stderr
    shown = agents.json("show", agents.only(), "--json")
    assert shown["reason"] == scripts.SUMMARY
    assert [(task["key"], task["status"]) for task in shown["tasks"]] == [
        (name, "done") for name in WORKERS
    ]
    assert [agent["provider"] for agent in shown["agents"]] == ["claude", *WORKERS]
    assert shown["tokens_used"] == agents.model.billed["in"] + agents.model.billed["out"]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_that_works_passes_its_test(scripted: Scripted, name: str) -> None:
    agents = scripted(does_the_test)
    agents.use(name)

    tried = agents.perles("providers", "test", name)

    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert tried.stdout.startswith(f"{name} works: one turn with a tool call in ")


def does_the_test(asked: Asked, usual: Script = scripts.everybody) -> Reply:
    """What `providers test` asks for; all else as usual."""
    if not asked.has("signal_workflow_complete") or "This only tests" not in "".join(asked.users):
        return usual(asked)
    if asked.after:
        return Reply(say="it works")
    return Reply(
        call="signal_workflow_complete",
        arguments={"status": "success", "summary": "it works"},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_unknown_fails_the_turn_with_what_was_said(
    scripted: Scripted, name: str
) -> None:
    agents = scripted(lambda _: Reply(status=404, message="model nonsense-9 not found"))
    agents.use(name)
    model = "scripted/nonsense-9" if name == "opencode" else "nonsense-9"

    tried = agents.perles("providers", "test", f"{name}:{model}", timeout=180)

    assert tried.returncode == 1
    assert f"{name}:{model} does not work" in tried.stderr
    assert "nonsense-9" in tried.stderr


@pytest.mark.parametrize("name", ["claude", "opencode"])
def test_the_cost_is_what_the_cli_told(scripted: Scripted, name: str) -> None:
    agents = scripted()
    agents.use(name)

    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    told, totals = 0.0, dict[str, list[float]]()
    for path in sorted(agents.root.glob("sessions/**/*.stdout.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines() if line[:1] == "{"]
        for line in lines:
            if "total_cost_usd" in line:
                totals.setdefault(line["session_id"], []).append(line["total_cost_usd"])
        told += sum((line.get("part") or {}).get("cost", 0.0) for line in lines)
    # The newest claude tells the running total of a session, the pinned one the turn's own part.
    is_running = agents.version == "newest"
    told += sum(costs[-1] if is_running else sum(costs) for costs in totals.values())
    assert told > 0
    assert agents.json("show", id, "--json")["cost_usd"] == pytest.approx(told)
    if name == "opencode":
        billed = agents.model.billed
        dollars = (billed["in"] * clis.PRICE_IN + billed["out"] * clis.PRICE_OUT) / 1e6
        assert told == pytest.approx(dollars)
