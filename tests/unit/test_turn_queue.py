"""Turns that wait for an AI call: who waits, why, and what becomes of them."""

import asyncio
from typing import Any

from perles.agents.provider import Outcome
from perles.engine.turns.ending import Ending
from perles.engine.turns.queue import drop_queued
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Turn
from tests.integration.health_world import HealthWorld

DONE = Ending("succeed", "turn_ended")


def _told(world: HealthWorld, type: str) -> list[dict[str, Any]]:
    query = "SELECT payload FROM events WHERE type = ? ORDER BY seq"
    return [journal.decode(row[0]) for row in world.connection.execute(query, (type,))]


def _queued(world: HealthWorld, id: str) -> Turn | None:
    agent = world.agent(id)
    return world.reader.first(Turn, statements.QUEUED_TURN_OF, agent_id=agent.id)


async def _two(world: HealthWorld) -> list[str]:
    """Two workflows that want to work, where one AI call is allowed."""
    world.limit(max_ai_calls=1)
    return [await world.begin(), await world.begin()]


def test_who_finds_no_free_call_waits_with_its_turn_and_gets_the_next_one(
    world: HealthWorld,
) -> None:
    async def run() -> None:
        first, second = await _two(world)
        waiting = _queued(world, second)
        assert waiting is not None
        (told,) = _told(world, "turn.queued")
        assert (told["number"], told["reason"]) == (1, "1 of 1 AI calls run")
        await world.turns.deliver()
        assert len(_told(world, "turn.queued")) == 1  # it is told once

        world.clock.advance(5)
        await world.turns.end(world.live(first), DONE, Outcome(True))
        await world.turns.deliver()

        assert world.live(second).turn_id == waiting.id
        assert _queued(world, second) is None

    asyncio.run(run())


def test_who_needs_no_call_passes_those_who_wait(world: HealthWorld) -> None:
    async def run() -> None:
        world.limit(max_ai_calls=1)
        first = await world.begin()
        world.add_task(first, "a")
        plain = world.request(1)
        world.connection.execute("UPDATE workflows SET provider = 'builtin' WHERE id = ?", (plain,))

        await world.begin(plain)

        assert world.live(plain).workflow_id == plain
        assert _told(world, "turn.queued") == []

    asyncio.run(run())


def test_a_used_up_budget_is_the_reason_where_it_is_one(world: HealthWorld) -> None:
    async def run() -> None:
        first = await world.begin()
        world.limit(token_budget=50)
        world.spend(world.live(first))

        await world.turns.end(world.live(first), DONE, Outcome(True))
        world.tell(world.agent(first))
        await world.turns.deliver()

        (told,) = _told(world, "turn.queued")
        assert "the budget of all workflows is used up" in told["reason"]

    asyncio.run(run())


def test_a_workflow_that_stops_waiting_keeps_its_messages(world: HealthWorld) -> None:
    async def run() -> None:
        _, second = await _two(world)
        waiting = _queued(world, second)
        assert waiting is not None

        world.write(lambda tx: drop_queued(tx, second))

        assert world.reader.need(Turn, waiting.id).status == "interrupted"
        agent = world.agent(second)
        assert world.reader.rows(statements.QUEUED_MESSAGES, agent_id=agent.id)

    asyncio.run(run())


def test_an_agent_that_was_stopped_meanwhile_is_not_queued(world: HealthWorld) -> None:
    async def run() -> None:
        _, second = await _two(world)
        await world.pause(second)
        assert _queued(world, second) is None
        assert [one["number"] for one in _told(world, "turn.queued")] == [1]

        await world.resume(second)
        await world.turns.deliver()

        assert [one["number"] for one in _told(world, "turn.queued")] == [1, 2]

    asyncio.run(run())
