"""What is done about a turn that failed in a way we know how to go on from."""

import asyncio
from datetime import timedelta

import pytest

from perles.agents.provider import Outcome
from perles.domain.clock import from_text
from perles.engine.turns.ending import Ending
from perles.engine.turns.retries import (
    FIRST_SECONDS,
    MAX_RENEWALS,
    MOST_OFFLINE_SECONDS,
    MOST_SECONDS,
    backoff,
    explained,
)
from perles.store import statements
from perles.store.schema.agents import Agent
from tests.integration.health_world import HealthWorld

FAILED = Ending("fail", "turn_failed")


async def _fail(world: HealthWorld, id: str, error_class: str, error: str = "it broke") -> Agent:
    """The coordinator's turn fails so; the agent afterwards."""
    await world.turns.end(world.live(id), FAILED, Outcome(False, error_class, error))
    return world.agent(id)


def _bodies(world: HealthWorld, agent: Agent) -> list[str]:
    rows = world.reader.rows(statements.QUEUED_MESSAGES, agent_id=agent.id)
    return [row["body"] for row in rows]


def _held_for(world: HealthWorld, agent: Agent) -> float:
    assert agent.held_until is not None
    return (from_text(agent.held_until) - world.clock.now()) / timedelta(seconds=1)


@pytest.mark.parametrize("tries", range(12))
def test_a_wait_is_doubled_with_jitter_and_bounded(tries: int) -> None:
    longest = min(MOST_SECONDS, FIRST_SECONDS * 2**tries)

    waits = {backoff(tries, seed) for seed in range(50)}

    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert len(waits) > 1
    assert backoff(tries, 7) == backoff(tries, 7)


@pytest.mark.parametrize("error_class", ["rate_limited", "overloaded", "offline"])
def test_a_limit_lets_the_messages_wait_longer_each_time(
    world: HealthWorld, error_class: str
) -> None:
    async def run() -> None:
        id = await world.begin()
        for number in range(6):
            agent = await _fail(world, id, error_class)
            assert (agent.status, agent.holds, agent.failures) == ("ready", number + 1, 0)
            longest = min(MOST_SECONDS, FIRST_SECONDS * 2**number)
            longest = min(longest, MOST_OFFLINE_SECONDS) if error_class == "offline" else longest
            wait = _held_for(world, agent)
            assert min(longest / 2, MOST_OFFLINE_SECONDS) - 0.01 <= wait <= longest
            await world.turns.deliver()
            assert world.turns.lives == {}
            world.clock.advance(wait + 0.01)
            await world.turns.deliver()

    asyncio.run(run())


@pytest.mark.parametrize("error_class", ["context_exhausted", "unknown_session"])
def test_a_lost_session_is_followed_by_a_fresh_one_with_a_handover(
    world: HealthWorld, error_class: str
) -> None:
    async def run() -> None:
        id = await world.begin()
        for number in range(1, MAX_RENEWALS + 1):
            agent = await _fail(world, id, error_class)
            assert (agent.status, agent.failures) == ("ready", number)
            assert agent.provider_session_id is None
            assert any("You take over from coordinator" in one for one in _bodies(world, agent))
            await world.turns.deliver()

        agent = await _fail(world, id, error_class)

        assert agent.status == "failed"

    asyncio.run(run())


def test_a_worker_that_crashes_is_tried_once_more(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        name = await world.give(id, "a")
        for status in ("ready", "failed"):
            await world.turns.end(world.live(id, name), FAILED, Outcome(False, "crashed", "killed"))
            assert world.agent(id, name).status == status
            await world.turns.deliver()

    asyncio.run(run())


def test_a_failure_that_only_a_person_mends_says_how() -> None:
    auth = explained("claude", Outcome(False, "auth", "401"))
    billing = explained("claude", Outcome(False, "billing", "402"))

    assert auth is not None
    assert auth.startswith("401; to go on: ")
    assert billing == "402; to go on: add credit to the account of claude, then perles retry"
    assert explained("claude", Outcome(False, "crashed", "boom")) == "boom"
