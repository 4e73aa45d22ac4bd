"""Worker slots: who is told that one is free, who keeps its place, and whose offer lapses."""

import asyncio

from perles.agents.provider import Outcome
from perles.domain.commands import Set
from perles.engine.resources import worker_slots
from perles.engine.turns.ending import Ending
from perles.store import statements
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.workflows.settings import change
from tests.integration.health_world import HealthWorld

DONE = Ending("succeed", "turn_ended")


async def _three(world: HealthWorld) -> list[str]:
    """One workflow that has the only slot, and two that ask for it."""
    world.limit(max_workers=1)
    ids = [await world.begin() for _ in range(3)]
    assert world.spawn(ids[0])
    for id in ids[1:]:
        world.clock.advance(1)
        assert not world.spawn(id)
    return ids


def _line(world: HealthWorld) -> list[str]:
    return [one.id for one in worker_slots.worker_line(world.reader)]


def _free(world: HealthWorld, id: str) -> None:
    worker = world.agent(id, "worker-1")
    query = "DELETE FROM leases WHERE kind = 'worker' AND agent_id = ?"
    world.connection.execute("UPDATE agents SET status = 'retired' WHERE id = ?", (worker.id,))
    world.connection.execute(query, (worker.id,))


def _offered(world: HealthWorld) -> list[str]:
    world.write(lambda tx: worker_slots.offer_workers(tx, world.policy))
    told = "SELECT id FROM workflows WHERE worker_offered_at IS NOT NULL ORDER BY id"
    return [row[0] for row in world.connection.execute(told)]


def _bodies(world: HealthWorld, agent: Agent) -> list[str]:
    rows = world.reader.rows(statements.QUEUED_MESSAGES, agent_id=agent.id)
    return [row["body"] for row in rows]


def test_who_asks_first_is_told_first_and_keeps_its_place(world: HealthWorld) -> None:
    async def run() -> None:
        first, second, third = await _three(world)
        assert _line(world) == [second, third]
        world.clock.advance(5)
        assert not world.spawn(second)  # asking again costs nobody the place
        assert _line(world) == [second, third]
        assert _offered(world) == []

        _free(world, first)

        assert _offered(world) == [second]
        assert "a worker slot is free" in _bodies(world, world.agent(second))[-1]
        assert not world.spawn(third)  # it is kept for the one who was told
        assert world.spawn(second)
        assert _line(world) == [third]

    asyncio.run(run())


def test_a_higher_priority_goes_before(world: HealthWorld) -> None:
    async def run() -> None:
        first, second, third = await _three(world)
        world.write(lambda tx: change(tx, third, Set(priority="high")))
        assert _line(world) == [third, second]

        _free(world, first)

        assert _offered(world) == [third]

    asyncio.run(run())


def test_an_offer_that_was_seen_and_not_taken_is_for_the_next(world: HealthWorld) -> None:
    async def run() -> None:
        first, second, third = await _three(world)
        _free(world, first)
        assert _offered(world) == [second]
        await world.turns.end(world.live(second), DONE, Outcome(True))
        await world.turns.deliver()  # it reads the offer

        await world.turns.end(world.live(second), DONE, Outcome(True))

        assert world.reader.need(Workflow, second).worker_offered_at is None
        assert _offered(world) == [third]

    asyncio.run(run())
