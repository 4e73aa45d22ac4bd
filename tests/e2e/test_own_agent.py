"""`perles mcp` in the hands of real CLIs: somebody's own agent starts a workflow and follows it."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from perles.companion.offers import NEEDS
from perles.domain.tokens import OPERATE, READ
from tests.e2e import clis
from tests.e2e.conftest import SECONDS, Agents
from tests.e2e.model import Asked, Reply

Scripted = Callable[..., Agents]
CLIENTS = ("claude", "codex", "gemini", "opencode")
ARGUMENTS = {
    "claude": ("--print", "--verbose", "--dangerously-skip-permissions"),
    "codex": ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
    "gemini": ("--yolo", "-p"),
    "opencode": ("run",),
}
"""How each CLI is asked something once, with nobody to confirm its tool calls."""
WISH = "run ship in the background, and approve it when it asks"
SAID = "shipped, says the model"
_OURS = re.compile(r"perles.control\W*[_:.]+(\w+)$")


def ours(asked: Asked) -> dict[str, str]:
    """Our tools that a CLI offers to its model: their names, and what it calls them."""
    found = {name: _OURS.search(name) for name in asked.tools}
    return {match[1].strip("_"): name for name, match in found.items() if match}


AWAIT = ("WaitForMcpServers", "list_mcp_resources")
"""Tools by which a model lets its CLI wait for servers: it begins the first turn without them."""


def awaited(asked: Asked) -> Reply | None:
    """The call that waits for our tools, where they are not offered yet; once a conversation."""
    name = next((tool for tool in AWAIT if tool in asked.tools), None)
    is_wish = any(WISH in said for said in asked.users)
    return Reply(call=name) if name and is_wish and not asked.after else None


class User:
    """The model behind the user's own agent: create, list, wait, show, approve, wait."""

    def __init__(self) -> None:
        self.offered: set[str] = set()
        self.results: list[tuple[str, str]] = []
        self._id = ""

    def reply(self, asked: Asked) -> Reply:
        """The next call, by what the last one returned."""
        tools = ours(asked)
        if not tools and (first := awaited(asked)):
            return first
        if not any(WISH in said for said in asked.users) or not tools:
            return Reply(say=json.dumps({"title": "untitled"}), tokens_in=0, tokens_out=0)
        self.offered |= set(tools)
        called = next((tool for tool, name in tools.items() if asked.after == name), None)
        called = called or (_bare(asked.after, tools) if asked.after not in ("", *AWAIT) else None)
        if called:
            self.results.append((called, asked.last))
        name, arguments = self._next(called or "", asked.last)
        if not name:
            return Reply(say=SAID)
        return Reply(call=tools.get(name, name), arguments=arguments)

    def _next(self, after: str, last: str) -> tuple[str, dict[str, object]]:
        if not after:
            return "create", {"template": "ship", "args": {"what": "it"}, "name": "nightly"}
        if after == "create":
            found = re.search(r"wf-\w+", last)
            self._id = found.group() if found else ""
            return "list", {"filter": "name:nightly"}
        if after == "list":
            return "wait", {"id": self._id, "timeout_s": 1}
        if after == "wait" and '"completed"' not in last.replace("\\", ""):
            return "show", {"id": self._id}
        if after == "show" and "waiting_for_user" in last:
            return "approve", {"id": self._id, "task": "ok"}
        return ("", {}) if after == "wait" else ("wait", {"id": self._id, "timeout_s": 20})


def _bare(name: str, tools: dict[str, str]) -> str | None:
    """The tool of a result, where a CLI names it without its server."""
    return next((tool for tool in tools if re.search(rf"(^|\W|_){tool}$", name)), None)


def _template(agents: Agents) -> None:
    folder = agents.root / "workflows" / "ship"
    folder.mkdir(parents=True)
    nodes = [
        {"key": "build", "run": "echo built {{ Args.what }} > built"},
        {"key": "ok", "assignee": "human", "question": "ship it?", "after": ["build"]},
        {"key": "ship", "run": "cp built shipped", "after": ["ok"]},
    ]
    about: dict[str, Any] = {"namespace": "workflow", "key": "ship", "version": "1", "name": "Ship"}
    about |= {"description": "Builds and ships.", "nodes": nodes}
    about["arguments"] = [{"key": "what", "label": "What", "type": "text", "required": True}]
    (folder / "template.yaml").write_text(yaml.safe_dump({"registry": [about]}))


def _ask(agents: Agents, client: str, role: str) -> "subprocess.CompletedProcess[str]":
    """Install `perles mcp` for a CLI as a user would, and let its model have the wish."""
    settings = clis.settings(agents.model.url, agents.cli_home, agents.programs)[client]
    given = {
        name: text.replace("${SCRIPTED_KEY}", clis.KEY) for name, text in settings["env"].items()
    }
    environ = agents.environ | given | {"IS_SANDBOX": "1", "ENABLE_TOOL_SEARCH": "false"}
    environ |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    environ |= {"GEMINI_CLI_TRUST_WORKSPACE": "true", "PWD": str(agents.work)}
    (agents.cli_home / ".gemini").mkdir(parents=True, exist_ok=True)
    signed_in = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (agents.cli_home / ".gemini" / "settings.json").write_text(json.dumps(signed_in))
    done = agents.perles("mcp", "install", client, "--write", "--role", role, **given)
    assert done.returncode == 0, done.stderr
    model = ["-m" if client == "gemini" else "--model", settings["model"]]
    words = [*ARGUMENTS[client]]
    at = len(words) - 1 if client == "gemini" else len(words)
    words[at:at] = [*model, *settings.get("args", [])]
    return subprocess.run(
        [settings["executable"], *words, WISH],
        cwd=agents.work,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_somebodys_own_agent_runs_a_workflow_and_approves_a_step(
    scripted: Scripted, client: str
) -> None:
    user = User()
    agents = scripted(user.reply)
    agents.use(client)
    _template(agents)

    done = _ask(agents, client, OPERATE)

    tools = [asked.tools for asked, _ in agents.model.asked]
    told = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{user.results}\n{tools}"
    assert done.returncode == 0, told
    assert SAID in done.stdout, told
    assert user.offered == set(NEEDS), told
    calls = [name for name, _ in user.results]
    assert calls[:3] == ["create", "list", "wait"], told
    assert {"show", "approve"} <= set(calls), told
    (made,) = agents.json("list", "--json")
    assert (made["name"], made["template_id"], made["state"]) == ("nightly", "ship", "completed")
    assert (agents.work / "shipped").read_text() == "built it\n"


@pytest.mark.parametrize("client", CLIENTS)
def test_an_agent_with_the_role_read_is_offered_nothing_that_changes(
    scripted: Scripted, client: str
) -> None:
    offered: set[str] = set()

    def script(asked: Asked) -> Reply:
        tools = ours(asked)
        offered.update(tools)
        if not tools and (first := awaited(asked)):
            return first
        if tools and any(WISH in said for said in asked.users) and asked.after in ("", *AWAIT):
            return Reply(
                call=tools["list"].replace("list", "create"), arguments={"template": "ship"}
            )
        return Reply(say=SAID)

    agents = scripted(script)
    agents.use(client)
    _template(agents)

    done = _ask(agents, client, READ)

    assert offered == {tool for tool, needed in NEEDS.items() if needed == READ}, done.stderr
    assert agents.json("list", "--json") == []
