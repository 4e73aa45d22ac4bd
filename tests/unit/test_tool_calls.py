"""A tool call of an agent: who may make one, how often, and that each is carried out once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from perles.domain.errors import DatabaseError, LateCallError, ToolError
from perles.engine.commands import tool_host
from perles.engine.commands.queue import Commands
from perles.engine.commands.tool_host import EngineToolHost
from perles.engine.resources.allowance import CALLS, LAST_BYTES, Allowance
from perles.mcp import turn_tokens
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.workspace.session import token_hash
from tests.integration.health_world import HealthWorld


class Desk:
    """The engine as tools see it, and one agent that calls."""

    def __init__(self, world: HealthWorld) -> None:
        self.world = world
        self.commands = Commands(world.context)
        self.host = EngineToolHost(world.context, self.commands)
        world.context.writer.post = self._post  # type: ignore[method-assign]

    def _post(self, work: Any) -> None:
        self.world.write(work)

    def caller(self, id: str, name: str = "coordinator") -> Caller:
        """An agent of a workflow, as its token tells it."""
        agent = self.world.agent(id, name)
        self.world.write(lambda tx: tx.update(Agent, agent.id, token=token_hash(f"t{agent.id}")))
        found = self.host.identify(f"t{agent.id}")
        assert found is not None
        return found

    async def call(
        self, caller: Caller, kind: str, request: str | None = None, /, **args: Any
    ) -> Any:
        """Make a call, with the key of the request."""
        return await self.host.command(caller, kind, args, request)

    def rows(self) -> list[tuple[str, str]]:
        """The calls that were recorded, and how they ended."""
        query = "SELECT kind, status FROM commands WHERE source = 'mcp' ORDER BY id"
        return [(row[0], row[1]) for row in self.world.connection.execute(query)]

    def events(self, type: str) -> list[dict[str, Any]]:
        """What was told of."""
        query = "SELECT payload FROM events WHERE type = ? ORDER BY seq"
        return [journal.decode(row[0]) for row in self.world.connection.execute(query, (type,))]


@pytest.fixture
def desk(world: HealthWorld) -> Desk:
    """In a world without processes."""
    return Desk(world)


TASK = {"key": "a", "title": "A", "body": "do it"}


def test_a_token_is_of_its_agent_and_no_other_text_is(desk: Desk) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller = desk.caller(id)

        assert (caller.name, caller.role, caller.turn_id) == ("coordinator", "coordinator", None)
        assert desk.host.identify("t0") is None
        assert desk.host.identify("") is None

    asyncio.run(run())


def test_a_token_of_a_turn_is_good_while_that_turn_lives(desk: Desk) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller, live = desk.caller(id), desk.world.live(id)
        token = turn_tokens.of_turn(f"t{caller.agent_id}", live.turn_id)
        found = desk.host.identify(token)
        assert found is not None
        assert found.turn_id == live.turn_id
        assert desk.host.identify(turn_tokens.of_turn(f"t{caller.agent_id}", 999)) is None

        await desk.world.finish(live, "succeed")
        with pytest.raises(LateCallError):
            desk.host.identify(token)
        # One that came in while the turn lived, and is carried out after its end.
        desk.world.tell(desk.world.agent(id))
        await desk.world.turns.deliver()
        with pytest.raises(LateCallError):
            await desk.call(found, "create_task", **TASK)
        assert desk.rows() == []

    asyncio.run(run())


def test_a_request_that_comes_again_is_answered_as_then(desk: Desk) -> None:
    async def run() -> None:
        caller = desk.caller(await desk.world.begin())
        first = await desk.call(caller, "create_task", "k1", **TASK)
        again = await desk.call(caller, "create_task", "k1", **TASK)
        assert again == first
        assert desk.rows() == [("create_task", "succeeded")]

        with pytest.raises(ToolError, match="Idempotency-Key was used for create_task"):
            await desk.call(caller, "mark_task_failed", "k1", task_id="a", reason="x")
        with pytest.raises(ToolError) as refused:
            await desk.call(caller, "create_task", "k2", **TASK)  # the key of the task is taken
        with pytest.raises(ToolError) as told_again:
            await desk.call(caller, "create_task", "k2", **{**TASK, "key": "b"})
        assert str(told_again.value) == str(refused.value)
        assert desk.rows() == [("create_task", "succeeded"), ("create_task", "rejected")]

    asyncio.run(run())


def test_two_requests_of_one_key_at_a_time_are_carried_out_once(desk: Desk) -> None:
    async def run() -> None:
        caller = desk.caller(await desk.world.begin())
        calls = (desk.call(caller, "create_task", "k1", **TASK) for _ in range(2))
        first, second = await asyncio.gather(*calls)

        assert first == second
        assert desk.rows() == [("create_task", "succeeded")]

    asyncio.run(run())


def test_an_agent_of_a_workflow_that_ends_can_do_nothing_any_more(desk: Desk) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller = desk.caller(id)
        desk.world.context.closing.add(id)
        with pytest.raises(ToolError, match="the workflow is ending; end your turn"):
            await desk.call(caller, "create_task", **TASK)
        desk.world.context.closing.clear()
        await desk.world.finish(desk.world.live(id), "succeed")
        with pytest.raises(ToolError, match="the workflow is running and you are ready"):
            await desk.call(caller, "create_task", **TASK)

    asyncio.run(run())


def test_a_turn_that_called_too_much_may_only_report(desk: Desk) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller, live = desk.caller(id), desk.world.live(id)
        live.calls.rows = 1
        await desk.call(caller, "create_task", **TASK)
        with pytest.raises(ToolError, match=f"a turn may make {CALLS} calls"):
            await desk.call(caller, "create_task", **{**TASK, "key": "b"})
        with pytest.raises(ToolError, match="tasks are still open"):  # it is carried out
            await desk.call(caller, "signal_workflow_complete", status="success", summary="x")

        (told,) = desk.events("turn.allowance_used_up")
        assert told["of"] == "calls"
        assert live.calls.left_rows == 2
        assert desk.rows() == [("create_task", "succeeded")]

    asyncio.run(run())


def test_last_words_have_their_size() -> None:
    spent = Allowance("calls", 0, 0)

    assert spent.admits("signal_ready", LAST_BYTES)
    assert not spent.admits("signal_ready", LAST_BYTES + 1)
    assert not spent.admits("create_task", 1)
    assert (spent.left_rows, spent.left_bytes) == (2, LAST_BYTES + 2)


def test_a_call_that_could_not_be_written_takes_nothing_of_what_a_turn_may(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller, before = desk.caller(id), desk.world.live(id).calls.rows

        async def failing(_work: Any) -> Any:
            raise DatabaseError("the disk is full")

        monkeypatch.setattr(desk.world.context.writer, "write", failing)
        with pytest.raises(DatabaseError):
            await desk.call(caller, "create_task", **TASK)

        assert desk.world.live(id).calls.rows == before

    asyncio.run(run())


def test_large_arguments_of_a_refused_call_are_cut(desk: Desk) -> None:
    async def run() -> None:
        caller = desk.caller(await desk.world.begin())
        with pytest.raises(ToolError):
            await desk.call(caller, "mark_task_failed", task_id="none", reason="x" * 50_000)
        many = {f"k{n}": "y" * 1_900 for n in range(9)}
        with pytest.raises(ToolError):
            await desk.call(caller, "mark_task_failed", task_id="none", **many)

        query = "SELECT args FROM commands WHERE status = 'rejected' ORDER BY id"
        texts = [row[0] for row in desk.world.connection.execute(query)]
        assert "[cut, 50000 characters]" in texts[0]
        assert all(len(text) < 10_000 for text in texts)

    asyncio.run(run())


def test_who_has_no_turn_may_call_little(desk: Desk) -> None:
    async def run() -> None:
        id = await desk.world.begin()
        caller = desk.caller(id)
        await desk.world.finish(desk.world.live(id), "succeed")
        for _ in range(100):
            with pytest.raises(ToolError, match="you are ready"):
                await desk.call(caller, "create_task", **TASK)
        with pytest.raises(ToolError, match="a turn may make"):
            await desk.call(caller, "create_task", **TASK)

        assert len(desk.rows()) == 100
        assert len(desk.events("turn.allowance_used_up")) == 1

    asyncio.run(run())


def test_a_flood_of_refused_requests_is_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(tool_host, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first, second = desk.world.request(1), desk.world.request(1)
    for _ in range(5):
        desk.host.rejected(first, 401, 2, "no token")
    desk.host.rejected(second, 401, 1, "no token")
    now[0] += 1.5
    desk.host.rejected(first, 401, 1, "no token")
    now[0] += 100.0
    desk.host.rejected(second, 403, 1, "wrong origin")

    told = [(one["status"], one["others"]) for one in desk.events("security.rejected")]
    assert told == [(401, 1), (401, 0), (401, 8), (403, 0)]
    assert list(desk.host._rejections) == [(second, 403)]


def test_a_provider_that_is_gone_hides_no_tool(desk: Desk) -> None:
    async def run() -> None:
        caller = desk.caller(await desk.world.begin())
        assert desk.host.hides(caller) == ()
        desk.world.context.providers.clear()
        agent = desk.world.agent(caller.workflow_id)
        desk.world.write(lambda tx: tx.update(Agent, agent.id, provider="gone"))

        assert desk.host.hides(caller) == ()

    asyncio.run(run())
