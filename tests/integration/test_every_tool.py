"""Every tool of every role: used well, badly, by others, after the end, and twice with one key.

Tools join by themselves: what is asked for here comes from their schemas.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perles.domain.states import AGENT, WORKFLOW
from perles.engine.commands.queue import Commands
from perles.engine.commands.registry import TOOLS
from perles.engine.commands.tool_host import EngineToolHost
from perles.engine.team.spawn import add_agent
from perles.engine.turns.runner import Turns
from perles.mcp.host import Caller
from perles.mcp.protocol import Protocol
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from tests.integration.test_replacement import ID, Stage

EXPECTED = {
    "coordinator": {
        *("spawn_worker", "assign_task", "replace_worker", "retire_worker", "stop_worker"),
        *("query_worker_state", "get_task_status", "mark_task_complete", "mark_task_failed"),
        *("assign_task_review", "assign_review_feedback", "approve_commit"),
        *("generate_accountability_summary", "signal_workflow_complete", "notify_user"),
        *("list_tasks", "create_task", "update_task", "send_to_worker", "ask_user"),
    },
    "worker": {
        *("signal_ready", "report_implementation_complete", "report_review_verdict"),
        *("post_accountability_summary", "report_blocked", "ask_user"),
    },
    "observer": set(),
}
FABRIC = {
    *("fabric_inbox", "fabric_send", "fabric_reply", "fabric_ack", "fabric_subscribe"),
    *("fabric_attach", "fabric_history", "fabric_read_thread"),
}
EVERY = [(role, name) for role, tools in TOOLS_BY_ROLE.items() for name in tools]
COMMANDS = [(role, name) for role, name in EVERY if TOOLS_BY_ROLE[role][name].read is None]

VALID: dict[str, dict[str, Any]] = {
    "list_tasks": {},
    "query_worker_state": {},
    "get_task_status": {"task_id": "a"},
    "spawn_worker": {},
    "create_task": {"key": "new", "title": "New", "body": "Do it."},
    "update_task": {"task_id": "b", "title": "Other"},
    "assign_task": {"task_id": "b", "worker_id": "worker-2"},
    "mark_task_complete": {"task_id": "a"},
    "mark_task_failed": {"task_id": "a", "reason": "no"},
    "notify_user": {"message": "look"},
    "ask_user": {"question": "why?"},
    "send_to_worker": {"worker_id": "worker-2", "message": "hello"},
    "replace_worker": {"worker_id": "worker-1"},
    "retire_worker": {"worker_id": "worker-1"},
    "stop_worker": {"worker_id": "worker-2"},
    "generate_accountability_summary": {"worker_id": "worker-2"},
    "signal_workflow_complete": {"status": "partial", "summary": "so far"},
    "signal_ready": {},
    "report_implementation_complete": {"summary": "done"},
    "report_blocked": {"reason": "no key"},
    "post_accountability_summary": {"task_id": "a", "summary": "I did what was asked for."},
    "fabric_inbox": {},
    "fabric_send": {"channel": "observer", "content": "hello"},
    "fabric_subscribe": {"channel": "observer"},
    "fabric_unsubscribe": {"channel": "observer"},
    "fabric_history": {"channel": "observer"},
}
"""A good use of each tool that needs nothing else before."""


class Desk:
    """The server of a stage's agents, each in the middle of a turn, over a real database."""

    def __init__(self, root: Path) -> None:
        self.stage = stage = Stage(root)
        context = stage.context
        context.writer = cast(Any, SimpleNamespace(write=self._write))
        context.turns = Turns(context)
        host = EngineToolHost(context, Commands(context))
        self.protocols = {role: Protocol(role, TOOLS_BY_ROLE[role], host) for role in TOOLS_BY_ROLE}
        self.agents = stage.database.write(self._set)
        self.number = 0

    async def _write(self, work: Callable[[Tx], Any]) -> Any:
        return self.stage.database.write(work)

    def _set(self, tx: Tx) -> dict[str, Agent]:
        stage, workflow = self.stage, tx.need(Workflow, ID)
        tx.update(Workflow, ID, max_workers=9, provider="claude")
        other = add_agent(tx, workflow, "worker-2", "worker", stage.session)
        observer = add_agent(tx, workflow, "observer", "observer", stage.session)
        tx.update(Agent, other.id, provider="claude")
        for agent in (stage.coordinator, stage.worker, observer):
            fire(tx, AGENT, agent.id, "deliver")
        return {"coordinator": stage.coordinator, "worker": stage.worker, "observer": observer}

    async def use(
        self, role: str, name: str, given: Any, *, key: str | None = None
    ) -> tuple[bool, Any]:
        """Whether the agent of this role was refused, and what it was told."""
        agent = self.agents[role]
        caller = Caller(ID, agent.id, agent.name, role)
        params = {"name": name, "arguments": given}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {} if key is None else {"idempotency-key": key}
        answer = await self.protocols[role].answer(caller, message, headers)
        result = json.loads(answer.body)["result"]
        text = result["content"][0]["text"]
        assert "internal error" not in text
        return result["isError"], text

    async def listed(self, role: str) -> list[str]:
        """The names of the tools that the agent of this role is offered."""
        agent = self.agents[role]
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = await self.protocols[role].answer(
            Caller(ID, agent.id, agent.name, role), message, {}
        )
        return [tool["name"] for tool in json.loads(answer.body)["result"]["tools"]]

    def happened(self) -> list[str]:
        """The types of all events but those that tell of the call itself."""
        return [
            event["type"]
            for event in self.stage.events("*")
            if not event["type"].startswith(("command.", "security."))
        ]


@pytest.fixture
def desk(tmp_path: Path, migrated: Path) -> Iterator[Desk]:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = Desk(tmp_path)
    yield made
    made.stage.database.dispose()


def _sample(schema: dict[str, Any]) -> Any:
    """Something that fits a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0])
    kind = schema.get("type")
    if kind == "object":
        return {name: _sample(schema["properties"][name]) for name in schema.get("required", ())}
    if kind == "array":
        return [_sample(schema["items"])] * schema.get("minItems", 1)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return True if kind == "boolean" else "x" * max(1, schema.get("minLength", 1))


def _given(role: str, name: str) -> dict[str, Any]:
    schema = TOOLS_BY_ROLE[role][name].schema
    given: dict[str, Any] = VALID.get(name) or _sample(schema)
    return given


PARAMETERS = {
    "spawn_worker": "agent_type",
    "assign_task": "worker_id task_id summary",
    "replace_worker": "worker_id reason",
    "retire_worker": "worker_id reason",
    "stop_worker": "worker_id force reason",
    "get_task_status": "task_id",
    "mark_task_complete": "task_id",
    "mark_task_failed": "task_id reason",
    "query_worker_state": "worker_id task_id",
    "assign_task_review": "reviewer_id task_id implementer_id summary review_type",
    "assign_review_feedback": "implementer_id task_id feedback",
    "approve_commit": "implementer_id task_id commit_message",
    "generate_accountability_summary": "worker_id",
    "signal_workflow_complete": "status summary epic_id tasks_closed",
    "notify_user": "message phase task_id",
    "report_implementation_complete": "summary trace_id",
    "report_review_verdict": "verdict comments trace_id",
    "post_accountability_summary": "task_id summary commits issues_discovered issues_closed "
    "verification_points retro next_steps",
    "fabric_send": "channel content kind",
    "fabric_reply": "message_id content kind",
    "fabric_ack": "message_ids",
    "fabric_subscribe": "channel mode",
    "fabric_unsubscribe": "channel",
    "fabric_attach": "target_id path name",
    "fabric_history": "channel limit include_acked",
    "fabric_read_thread": "message_id include_artifacts",
}
"""What prompts that were written for others give to a tool."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_tool_takes_what_prompts_give_it(name: str) -> None:
    for role, tools in TOOLS_BY_ROLE.items():
        if name in tools:
            schema = tools[name].schema
            assert set(PARAMETERS[name].split()) <= schema["properties"].keys(), role
            assert set(schema.get("required", ())) <= set(PARAMETERS[name].split())


@pytest.mark.parametrize("role", TOOLS_BY_ROLE)
def test_each_role_has_the_tools_that_prompts_expect(role: str) -> None:
    wanted = EXPECTED[role] | FABRIC | ({"fabric_unsubscribe"} if role != "observer" else set())
    assert wanted <= TOOLS_BY_ROLE[role].keys()
    assert {name for kind, name in COMMANDS if kind == role} <= TOOLS.keys()


@pytest.mark.parametrize(("role", "name"), [(r, n) for r, n in EVERY if n in VALID])
async def test_a_good_use_is_answered(desk: Desk, role: str, name: str) -> None:
    if name in ("update_task", "assign_task"):
        task = {"key": "b", "title": "B", "body": "b"}
        assert not (await desk.use("coordinator", "create_task", task))[0]

    refused, text = await desk.use(role, name, VALID[name])

    assert not refused, text


@pytest.mark.parametrize("role", TOOLS_BY_ROLE)
async def test_a_bad_use_is_refused_with_what_is_wrong(desk: Desk, role: str) -> None:
    before = desk.happened()
    for name, tool in TOOLS_BY_ROLE[role].items():
        given, schema = _given(role, name), tool.schema
        bad: list[dict[str, Any]] = [{**given, "nonsense": 1}]
        bad += [{**given, field: {"x": 1}} for field in schema["properties"]]
        bad += [{**given, field: "x" * 200_000} for field in schema["properties"]]
        bad += [{}] if schema.get("required") else []
        for one in bad:
            refused, text = await desk.use(role, name, one)
            assert refused, (name, one.keys())
            assert text.startswith("cannot "), text
            assert len(text) < 1_000
    assert desk.happened() == before


async def test_a_tool_of_another_role_is_refused(desk: Desk) -> None:
    before = desk.happened()
    for role, tools in TOOLS_BY_ROLE.items():
        for name in {name for _, name in EVERY} - tools.keys():
            refused, text = await desk.use(role, name, VALID.get(name, {}))
            assert refused, (role, name)
            assert f"cannot call '{name}': your tools are {next(iter(tools))}" in text
    assert desk.happened() == before


async def test_nothing_changes_after_the_end(desk: Desk) -> None:
    desk.stage.database.write(lambda tx: fire(tx, WORKFLOW, ID, "complete"))
    before = desk.happened()
    for role, name in COMMANDS:
        refused, text = await desk.use(role, name, _given(role, name))
        assert refused, (role, name)
        # A file that is attached is looked for before the workflow is.
        assert "the workflow is completed" in text or name == "fabric_attach", text
    assert desk.happened() == before


@pytest.mark.parametrize(("role", "name"), COMMANDS)
async def test_twice_with_one_key_is_once(desk: Desk, role: str, name: str) -> None:
    first = await desk.use(role, name, _given(role, name), key="k1")
    after = desk.happened()

    again = await desk.use(role, name, _given(role, name), key="k1")

    assert again == first
    assert desk.happened() == after
    other = next(one for kind, one in COMMANDS if kind == role and one != name)
    refused, text = await desk.use(role, other, _given(role, other), key="k1")
    assert (refused, "Idempotency-Key" in text) == (True, True)


@pytest.mark.parametrize("role", ["coordinator", "worker"])
async def test_a_tool_that_a_cli_hides_is_offered_and_called_by_another_name(
    desk: Desk, role: str
) -> None:
    """gemini has a tool `ask_user` of its own, and shows none of that name to its model."""
    usual = await desk.listed(role)
    agent = desk.agents[role]
    desk.stage.database.write(lambda tx: tx.update(Agent, agent.id, provider="gemini"))

    by_gemini = await desk.listed(role)

    renamed = {"ask_user": "ask_person"}
    assert by_gemini == [renamed.get(name, name) for name in usual]
    refused, told = await desk.use(role, "ask_person", {"question": "why?"})
    assert not refused, told
    assert "question.asked" in desk.happened()
