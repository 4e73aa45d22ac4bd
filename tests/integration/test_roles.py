"""Roles: who does what, with which provider and model, and an observer that changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from perles.agents.prompts import system_prompt
from perles.config import load
from perles.config.provider_settings import Providers, ProviderSettings
from perles.domain.errors import ToolError, UsageError
from perles.domain.provider_choice import AGENT_TYPES
from perles.engine.turns.outcome import MAX_COORDINATOR_FAILURES
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.templates.pipeline import read_pipeline
from tests.integration.cli import Home
from tests.integration.scripted_cli import with_tools
from tests.integration.test_replacement import ID, Stage, stage
from tests.integration.test_team_tools import agent_of, use

__all__ = ["stage"]


def _config(tmp_path: Path, text: str) -> Providers:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load.load(config_file=path, environ={}).providers


def test_settings_of_a_type_go_over_those_of_workers(tmp_path: Path) -> None:
    providers = _config(
        tmp_path,
        "orchestration:\n"
        "  claude: {model: opus, env: {A: a, B: b}}\n"
        "  claude_worker: {model: sonnet, env: {B: bb}}\n"
        "  claude_reviewer: {env: {C: c}}\n"
        "  codex_implementer: {model: small}\n"
        "  reviewer_client: codex\n",
    )

    def told(name: str, seat: str) -> tuple[str | None, dict[str, str]]:
        found = providers.of(name, seat)
        return found.model, {key: one.text for key, one in found.env.items()}

    assert told("claude", "coordinator") == ("opus", {"A": "a", "B": "b"})
    assert told("claude", "worker") == ("sonnet", {"A": "a", "B": "bb"})
    assert told("claude", "reviewer") == ("sonnet", {"A": "a", "B": "bb", "C": "c"})
    assert told("claude", "researcher") == told("claude", "worker")
    assert told("codex", "implementer")[0] == "small"
    assert providers.clients == {"reviewer": "codex"}
    keys = [providers.key_of("claude", seat) for seat in ("reviewer", "researcher", "observer")]
    assert keys == ["claude_reviewer", "claude_worker", "claude"]


def test_a_role_that_nobody_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown key"):
        _config(tmp_path, "orchestration: {claude_tester: {model: x}}")
    with pytest.raises(UsageError, match="nobody"):
        _config(tmp_path, "orchestration: {reviewer_client: nobody}")
    file = tmp_path / "p.yaml"
    file.write_text("name: p\nroles: {tester: claude}\ntasks: [{key: a, run: 'true'}]\n")
    with pytest.raises(UsageError, match="tester"):
        read_pipeline(file)


SLEEPS = "tools.call('signal_workflow_complete', status='success', summary='done')\n"


def _roles_of(home: Home, id: str) -> dict[str, str]:
    from perles.store.reads.connection import reading

    with reading(home.database) as connection:
        assert connection is not None
        row = connection.execute("SELECT roles FROM workflows WHERE id = ?", (id,)).fetchone()
        found: dict[str, str] = json.loads(row["roles"])
        return found


def test_a_workflow_keeps_who_does_what(home: Home) -> None:
    with_tools(home, SLEEPS, reviewer_client="mycli", observer_enabled=True)
    file = home.pipeline(
        "p", [{"key": "a", "prompt": "x", "worker": "mycli"}], roles={"implementer": "mycli:small"}
    )
    commands = home.pipeline("q", [{"key": "a", "run": "true"}])

    made = home.perles("create", file, "--coordinator", "mycli").stdout.strip()
    plain = home.perles("create", commands).stdout.strip()

    assert _roles_of(home, made) == {
        "implementer": "mycli:small",
        "reviewer": "mycli",
        "observer": "mycli",
    }
    assert _roles_of(home, plain) == {}, "commands are watched by nobody, at no cost"
    wrong = home.pipeline(
        "w", [{"key": "a", "prompt": "x", "worker": "mycli"}], roles={"reviewer": "builtin"}
    )
    refused = home.perles("create", wrong, "--coordinator", "mycli")
    assert (refused.returncode, "only run commands" in refused.stderr) == (2, True)


def _with_roles(stage: Stage, **roles: str) -> None:
    settings = {
        name: ProviderSettings(name, type="command", argv=("true",)) for name in ("own", "other")
    }
    stage.context.config = stage.context.config.__class__(providers=Providers(settings=settings))
    values = {"roles": journal.encode(roles), "worker_provider": "own", "provider": "own"}
    stage.database.write(
        lambda tx: tx.update(Workflow, ID, max_workers=9, worker_model="big", **values)
    )


def test_a_worker_is_of_the_provider_of_its_type(stage: Stage) -> None:
    _with_roles(stage, reviewer="other:small")

    reviewer = use(stage, "spawn_worker", agent_type="reviewer")
    plain = use(stage, "spawn_worker", agent_type="researcher")

    assert reviewer == {"worker_id": "worker-2", "provider": "other:small"}
    assert plain["provider"] == "own:big"
    found = agent_of(stage, "worker-2")
    assert (found.provider, found.model, found.agent_type) == ("other", "small", "reviewer")
    fresh = use(stage, "replace_worker", worker_id="worker-2")["successor"]
    found = agent_of(stage, fresh)
    assert (found.provider, found.model, found.agent_type) == ("other", "small", "reviewer")


def test_a_task_goes_to_a_worker_of_a_type_or_of_the_usual_kind(stage: Stage) -> None:
    _with_roles(stage, implementer="other")
    use(stage, "create_task", key="b", title="B", body="Do b.")
    typed = use(stage, "spawn_worker", agent_type="implementer")["worker_id"]
    stage.database.write(lambda tx: tx.update(Agent, agent_of(stage, typed).id, agent_type=""))
    with pytest.raises(ToolError, match="it needs a worker of own"):
        use(stage, "assign_task", task_id="b", worker_id=typed)
    stage.database.write(
        lambda tx: tx.update(Agent, agent_of(stage, typed).id, agent_type="implementer")
    )
    assert use(stage, "assign_task", task_id="b", worker_id=typed)["status"] == "assigned"
    assert stage.context.reader.need(Task, 2).assignee == typed


@pytest.mark.parametrize("agent_type", AGENT_TYPES)
def test_each_type_is_told_what_it_is_for(agent_type: str) -> None:
    told = system_prompt("worker", agent="worker-1", work_dir="/w", agent_type=agent_type)
    assert told.startswith(system_prompt("worker", agent="worker-1", work_dir="/w"))
    assert len(told) > len(system_prompt("worker", agent="worker-1", work_dir="/w")) + 100


def test_the_tools_of_an_observer_only_look_or_answer() -> None:
    tools = TOOLS_BY_ROLE["observer"]
    changing = {name for name, tool in tools.items() if tool.read is None}
    assert {"list_tasks", "query_worker_state", "get_task_status"} <= tools.keys()
    assert all(name.startswith("fabric_") for name in changing)
    assert "fabric_unsubscribe" not in changing


WATCHES = """\
name, seen = os.environ["PERLES_AGENT"], {}
if name == "observer":
    for tool, given in (("list_tasks", {}), ("query_worker_state", {}),
                        ("fabric_history", {"channel": "general"}),
                        ("fabric_send", {"channel": "observer", "content": "all is well"}),
                        ("fabric_send", {"channel": "general", "content": "listen"}),
                        ("create_task", {"key": "x", "title": "x", "body": "x"}),
                        ("ask_user", {"question": "may I?"}),
                        ("signal_workflow_complete", {"status": "success", "summary": "x"})):
        try:
            tools.call(tool, **given)
            seen[tool + str(given.get("channel", ""))] = "ok"
        except CallFailed as error:
            seen[tool + str(given.get("channel", ""))] = str(error)
    json.dump(seen, open("seen.new", "w"))
    os.rename("seen.new", "seen")
    if "crash" in prompt:
        sys.exit(3)
elif os.path.exists("go"):
    tools.call("signal_workflow_complete", status="success", summary="done")
else:
    tools.call("spawn_worker")
    tools.call("ask_user", question="shall I go on?")
"""


def test_an_observer_sees_all_changes_nothing_and_harms_nothing(home: Home) -> None:
    with_tools(home, WATCHES, observer_enabled=True)
    id = home.json("create", "a book", "--coordinator", "mycli", "--json")["id"]
    home.perles("serve", "--detach")
    home.perles("start", id)
    home.wait_for("the question", lambda: home.json("questions", id, "--json"))
    observer = _agent(home, id, "observer")
    assert (observer["role"], observer["status"], observer["turns"]) == ("observer", "ready", 0)
    assert home.json("show", id, "--json")["workers"] == 1, "it takes no worker's place"

    for number in range(MAX_COORDINATOR_FAILURES + 1):
        home.perles("send", id, "--to", "observer", f"crash {number}")
        home.wait_for("a failure", lambda: _agent(home, id, "observer")["status"] == "failed")
        home.perles("agent", "resume", id, "observer")
    home.perles("agent", "replace", id, "observer")

    seen: dict[str, Any] = json.loads((home.work / "seen").read_text())
    refused = {name for name, said in seen.items() if said != "ok"}
    assert refused == {"fabric_sendgeneral", "create_task", "ask_user", "signal_workflow_complete"}
    assert _agent(home, id, "observer-2")["role"] == "observer"
    assert home.json("show", id, "--json")["state"] == "running"
    notes = [item["text"] for item in home.json("inbox", "--json")]
    assert any("the workflow goes on" in text for text in notes)
    (home.work / "go").touch()
    home.perles("answer", id, "yes")
    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")


def _agent(home: Home, id: str, name: str) -> dict[str, Any]:
    agents = home.json("agents", id, "--json")
    return next(one for one in agents if one["name"] == name)
