"""One worker hangs while the others go on: it is told of, nudged, and replaced with its task."""

import asyncio

from perles.config.model import HealthPolicy
from perles.store import statements
from perles.store.schema.agents import Message
from perles.store.schema.tasks import Task
from tests.integration.health_world import SWEEP, HealthWorld

STUCK = "health.stuck worker-2"
RECOVERS = HealthPolicy(enable_auto_nudge=True, max_nudges=1, enable_auto_replace=True)


async def _two_workers(world: HealthWorld) -> str:
    id = await world.begin()
    await world.give(id, "a")
    await world.give(id, "b")
    await world.finish(world.live(id), "succeed")
    return id


async def _first_goes_on(world: HealthWorld, id: str, seconds: float) -> None:
    for _ in range(int(seconds / SWEEP)):
        world.say(world.live(id, "worker-1"))
        await world.sweep()


def test_it_is_told_of_once_and_nothing_is_done_by_itself(world: HealthWorld) -> None:
    async def run() -> None:
        id = await _two_workers(world)
        await _first_goes_on(world, id, 300)
        assert world.told() == []
        await _first_goes_on(world, id, SWEEP)
        assert world.told() == [STUCK]
        await _first_goes_on(world, id, 3600)
        assert world.told() == [STUCK]
        row = world.connection.execute("SELECT health FROM workflows").fetchone()
        assert row["health"] == "healthy"

    asyncio.run(run())


def test_one_that_works_again_has_recovered_and_can_be_stuck_again(world: HealthWorld) -> None:
    async def run() -> None:
        id = await _two_workers(world)
        await _first_goes_on(world, id, 320)
        world.say(world.live(id, "worker-2"))
        await _first_goes_on(world, id, 100)
        assert world.told() == [STUCK, "health.recovered worker-2"]
        await _first_goes_on(world, id, 220)
        assert world.told() == [STUCK, "health.recovered worker-2", STUCK]

    asyncio.run(run())


def test_it_is_nudged_by_its_coordinator_and_then_replaced_and_its_task_goes_on(
    world: HealthWorld,
) -> None:
    world.policy_of_health(RECOVERS)

    async def run() -> None:
        id = await _two_workers(world)
        await _first_goes_on(world, id, 310)
        assert world.told() == [STUCK, "recovery.attempted nudge worker-2"]
        nudge = world.reader.all(Message, statements.QUEUED_MESSAGES, agent_id=world.agent(id).id)
        delivered = world.live(id)  # the nudge has woken the coordinator
        assert nudge == []
        await world.finish(delivered, "succeed")
        await _first_goes_on(world, id, 130)
        assert world.told()[2:] == ["recovery.attempted replace worker-2"]
        assert world.agent(id, "worker-2").status == "retired"
        task = world.reader.first(Task, statements.TASK_KEYED, workflow_id=id, key="b")
        assert task is not None
        assert (task.assignee, task.attempt, task.status) == ("worker-3", 1, "in_progress")
        assert world.live(id, "worker-3")
        world.say(world.live(id, "worker-3"))
        await _first_goes_on(world, id, 30)
        assert world.told()[3:] == ["health.recovered worker-3", "recovery.succeeded worker-3"]

    asyncio.run(run())


def test_one_that_computes_is_not_stuck_and_one_that_ends_its_turn_needs_nothing(
    world: HealthWorld,
) -> None:
    world.policy_of_health(RECOVERS)

    async def run() -> None:
        id = await _two_workers(world)
        world.computing.add(world.live(id, "worker-2").turn_id)
        await _first_goes_on(world, id, 3600)
        assert world.told() == []
        world.computing.clear()
        await _first_goes_on(world, id, 290)
        assert world.told() == []
        await _first_goes_on(world, id, 30)
        assert world.told() == [STUCK, "recovery.attempted nudge worker-2"]
        await world.finish(world.live(id, "worker-2"), "succeed")
        await _first_goes_on(world, id, 290)  # it is reminded of its report, in a turn of its own
        assert "recovery.attempted replace worker-2" not in world.told()

    asyncio.run(run())


def test_an_engine_that_comes_later_neither_tells_nor_counts_again(world: HealthWorld) -> None:
    world.policy_of_health(RECOVERS)

    async def run() -> None:
        id = await _two_workers(world)
        await _first_goes_on(world, id, 320)
        world.restart()
        await _first_goes_on(world, id, 320)
        assert world.told() == [
            *[STUCK, "recovery.attempted nudge worker-2", "recovery.attempted replace worker-2"]
        ]

    asyncio.run(run())


def test_a_task_on_which_every_worker_hangs_is_not_handed_on_for_ever(world: HealthWorld) -> None:
    world.policy_of_health(RECOVERS)

    async def run() -> None:
        id = await _two_workers(world)
        await _first_goes_on(world, id, 3 * 3600)
        told = world.told("recovery.*")
        assert told[:2] == [
            "recovery.attempted nudge worker-2",
            "recovery.attempted replace worker-2",
        ]
        assert told[2:] == ["recovery.exhausted alert worker-3"]

    asyncio.run(run())


def test_where_all_hang_the_workflow_is_stuck_and_not_each_worker(world: HealthWorld) -> None:
    async def run() -> None:
        await _two_workers(world)
        await world.pass_(3600)
        assert world.told() == ["health.degraded", "health.stuck"]

    asyncio.run(run())
