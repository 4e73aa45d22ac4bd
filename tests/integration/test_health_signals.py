"""Waiting, working and stuck, with a clock of the test's own: every reason for silence."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from perles.agents.provider import Kind
from perles.config.model import HealthPolicy
from perles.executor.contract import Used
from perles.store.schema.engine import Command
from perles.tasks import answers, questions
from tests.integration.health_world import SWEEP, HealthWorld

HOUR = 3600.0
STUCK = ["health.degraded", "health.stuck"]


def test_a_silent_agent_is_told_once_within_a_sweep_of_each_timeout(world: HealthWorld) -> None:
    async def run() -> None:
        await world.begin()
        await world.pass_(120)
        assert world.told() == []
        await world.sweep()
        assert world.told() == ["health.degraded"]
        await world.pass_(170)
        assert world.told() == ["health.degraded"]
        await world.sweep()
        assert world.told() == STUCK
        await world.pass_(HOUR)
        assert world.told() == STUCK

    asyncio.run(run())


def test_what_beats_and_progresses_again_has_recovered_once(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        worker = await world.give(id, "a")
        await world.pass_(130)
        world.say(world.live(id, worker))
        await world.sweep()
        assert world.told() == ["health.degraded", "health.recovered"]
        await world.pass_(310)
        world.say(world.live(id, worker))
        await world.pass_(30)
        assert world.told() == [
            *["health.degraded", "health.recovered"],
            *STUCK,
            "health.recovered",
        ]

    asyncio.run(run())


def test_a_coordinator_that_talks_and_gets_nowhere_is_stuck(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        for _ in range(31):
            world.say(world.live(id), kind=Kind.USAGE)
            await world.sweep()
        assert world.told() == ["health.stuck"]

    asyncio.run(run())


# Each case brings a workflow into a wait, and gives what ends it.
End = Callable[[], Awaitable[None]]


async def _pending(world: HealthWorld) -> End:
    id = world.request(1)

    async def end() -> None:
        await world.begin(id)

    return end


async def _paused(world: HealthWorld) -> End:
    id = await world.begin()
    await world.pause(id)

    async def end() -> None:
        assert await world.resume(id)
        await world.turns.deliver()

    return end


async def _for_the_user(world: HealthWorld) -> End:
    id = await world.begin()
    world.add_task(id, "ok", assignee="human")
    world.write(lambda tx: questions.ask_people(tx, id))
    await world.finish(world.live(id), "succeed")

    async def end() -> None:
        world.write(lambda tx: answers.approve(tx, id, "ok", None))
        await world.turns.deliver()

    return end


async def _for_an_ai_call(world: HealthWorld) -> End:
    world.limit(max_ai_calls=1)
    first = await world.begin()
    await world.begin()
    world.computing.add(world.live(first).turn_id)

    async def end() -> None:
        await world.end(first, "complete")
        await world.turns.deliver()

    return end


async def _for_a_rate_limit(world: HealthWorld) -> End:
    id = await world.begin()
    await world.rate_limit(world.live(id), int(HOUR))

    async def end() -> None:
        await world.turns.deliver()
        assert world.agent(id).status == "working"

    return end


async def _for_a_long_command_that_computes(world: HealthWorld) -> End:
    id = await world.begin()
    worker = await world.give(id, "a")
    turn_id = world.live(id, worker).turn_id
    world.computing.add(turn_id)

    async def end() -> None:
        world.computing.clear()

    return end


async def _for_a_long_command_that_reads_and_writes(world: HealthWorld) -> End:
    id = await world.begin()
    worker = await world.give(id, "a")
    world.copying.add(world.live(id, worker).turn_id)

    async def end() -> None:
        world.copying.clear()

    return end


@pytest.mark.parametrize(
    "wait",
    [
        _pending,
        _paused,
        _for_the_user,
        _for_an_ai_call,
        _for_a_rate_limit,
        _for_a_long_command_that_computes,
        _for_a_long_command_that_reads_and_writes,
    ],
    ids=lambda wait: wait.__name__.strip("_"),
)
def test_whoever_waits_or_works_is_not_stuck_and_has_full_time_afterwards(
    world: HealthWorld, wait: Callable[[HealthWorld], Awaitable[End]]
) -> None:
    async def run() -> None:
        end = await wait(world)
        await world.pass_(HOUR + SWEEP)
        assert world.told() == []
        await end()
        await world.pass_(110)
        assert world.told() == []
        await world.pass_(210)
        assert world.told() == STUCK  # the wait was the only reason

    asyncio.run(run())


def test_a_limit_of_the_whole_provider_explains_the_silence_of_all_its_agents(
    world: HealthWorld,
) -> None:
    async def run() -> None:
        limited, works = await world.begin(), await world.begin()
        await world.give(works, "a")
        await world.pass_(60)
        await world.rate_limit(world.live(limited), int(HOUR))
        await world.pass_(HOUR)
        assert world.told() == []
        await world.pass_(100)
        assert world.told() == []
        await world.pass_(220)
        assert world.told(of=works) == STUCK

    asyncio.run(run())


def test_a_trickle_of_timers_and_polling_is_no_work(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        turn_id = world.live(id).turn_id
        for sweep in range(31):
            world.used[turn_id] = Used(sweep * SWEEP * 0.005, int(sweep * SWEEP * 5_000))
            await world.sweep()
        assert world.told() == STUCK

    asyncio.run(run())


def test_processes_are_looked_at_only_under_suspicion(world: HealthWorld) -> None:
    async def run() -> None:
        ids = [await world.begin() for _ in range(3)]
        await world.pass_(100 - SWEEP)
        assert world.looks == []
        world.say(*(world.live(id) for id in ids[1:]))
        await world.pass_(20)
        (trees, *_) = world.looks
        assert [tree.turn.turn_id for tree in trees] == [world.live(ids[0]).turn_id]

    asyncio.run(run())


@pytest.mark.parametrize("gap", ["the engine was down", "the machine slept"])
def test_after_a_gap_in_our_own_heartbeat_all_timers_start_again(
    world: HealthWorld, gap: str
) -> None:
    async def run() -> None:
        await world.begin()
        await world.pass_(100)
        world.clock.advance(8 * HOUR)
        if gap == "the engine was down":
            world.restart()
        await world.pass_(120)
        assert world.told() == []
        await world.pass_(200)
        assert world.told() == STUCK

    asyncio.run(run())


def test_a_clock_that_is_set_back_or_on_makes_nobody_stuck(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        await world.pass_(50)
        for seconds in (-HOUR, 2 * HOUR, -HOUR):
            world.clock.advance(seconds)
            await world.pass_(50)
            world.say(world.live(id))
        assert world.told() == []

    asyncio.run(run())


def test_shorter_timeouts_taken_up_while_it_runs_hold_at_once(world: HealthWorld) -> None:
    async def run() -> None:
        await world.begin()
        await world.pass_(50)
        world.policy_of_health(HealthPolicy(heartbeat_timeout=1, progress_timeout=30))
        await world.sweep()
        assert "health.stuck" in world.told()

    asyncio.run(run())


def test_a_nudged_coordinator_that_waits_for_its_call_is_given_time(world: HealthWorld) -> None:
    world.policy_of_health(HealthPolicy(enable_auto_nudge=True, on_exhausted="alert"))

    async def run() -> None:
        id = await world.begin()
        asked = {"kind": "agent.spawn", "status": "queued", "source": "user", "args": "{}"}
        world.write(lambda tx: tx.insert(Command, workflow_id=id, **asked))  # and never carried out
        await world.finish(world.live(id), "succeed")
        await world.pass_(300)
        world.limit(max_ai_calls=1)
        busy = await world.begin()
        world.computing.add(world.live(busy).turn_id)
        await world.pass_(HOUR)
        assert world.told("recovery.*", of=id) == ["recovery.attempted nudge"]
        await world.end(busy, "complete")
        await world.pass_(110)
        assert world.told("recovery.*", of=id) == ["recovery.attempted nudge"]
        await world.pass_(30)
        assert world.told("recovery.*", of=id) == ["recovery.attempted nudge"] * 2

    asyncio.run(run())
