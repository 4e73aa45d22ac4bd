"""Reservations: parallel turns do not overrun a budget together."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.domain.errors import LimitReachedError
from perles.engine.resources import budgets, leases
from perles.engine.turns.live import LiveTurn
from perles.store.schema.resources import Totals
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from tests.integration.scheduler_world import LINE, World, without_processes


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty world in which six turns may run."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = World(tmp_path, 25500)
    made.limit(max_ai_calls=6, max_workers=10)
    yield made
    made.close()


async def _started(world: World, token_budget: int) -> str:
    """A running workflow with three workers, each of which has used 300 tokens in a turn."""
    id = world.request(1, token_budget=token_budget)
    gate = {"key": "ok", "title": "ok", "status": "waiting_for_user", "assignee": "human"}
    world.write(lambda tx: tx.insert(Task, workflow_id=id, **gate))  # what a coordinator waits for
    await world.step()
    for _ in range(3):
        assert world.spawn(id)
    await _all_work(world, lines=3)
    return id


async def _all_work(world: World, *, lines: int) -> None:
    for agent in world.agents():
        if agent.role == "worker":
            world.tell(agent)
    await world.step()
    for live in _workers(world):
        for _ in range(lines):
            world.spend(live)
        await world.finish(live, "succeed")
    await world.step()


def _workers(world: World) -> list[LiveTurn]:
    return [live for live in world.turns.lives.values() if live.role == "worker"]


def _tell_all(world: World) -> None:
    for agent in world.agents():
        if agent.role == "worker":
            world.tell(agent)


async def test_no_more_turns_start_together_than_the_budget_allows_at_the_median(
    world: World,
) -> None:
    id = await _started(world, token_budget=1500)  # 900 are used, 600 are left

    _tell_all(world)
    await world.step()

    assert len(_workers(world)) == 2
    assert world.reader.need(Workflow, id).tokens_used == 900


async def test_what_a_turn_did_not_use_is_free_again_when_it_ends(world: World) -> None:
    await _started(world, token_budget=1500)
    _tell_all(world)
    await world.step()
    first, second = _workers(world)

    await world.finish(first, "succeed")
    await world.step()

    third = [live for live in _workers(world) if live is not second]
    assert len(third) == 1


async def test_a_turn_that_is_alone_may_use_what_is_left_however_little(world: World) -> None:
    id = await _started(world, token_budget=1000)  # 100 are left, a turn uses 300
    for live in list(world.turns.lives.values()):
        await world.finish(live, "succeed")

    _tell_all(world)
    await world.step()

    assert len(world.turns.lives) == 1
    (live,) = world.turns.lives.values()
    world.spend(live)
    await world.step()
    ended = world.reader.need(Workflow, id)
    assert (ended.state, ended.reason) == ("failed", "token budget exhausted")
    assert ended.tokens_used == 1000


async def test_the_global_budget_counts_reservations_of_all_workflows(world: World) -> None:
    for _ in range(2):
        await _started(world, token_budget=0)
        for live in list(world.turns.lives.values()):
            await world.finish(live, "succeed")
    used = world.reader.need(Totals, 1).tokens
    world.limit(token_budget=used + 2 * 3 * LINE)

    _tell_all(world)
    await world.step()

    assert len(_workers(world)) == 2


def test_what_has_a_budget_that_is_used_up_cannot_run(world: World) -> None:
    id = world.request(1, token_budget=10)
    world.write(lambda tx: tx.update(Workflow, id, tokens_used=10))
    workflow = world.reader.need(Workflow, id)

    with pytest.raises(LimitReachedError, match="perles set wf-00000001 --token-budget N"):
        budgets.need_some(world.reader, world.policy, workflow)


def test_a_lease_beyond_the_limit_is_refused_in_its_transaction(world: World) -> None:
    ids = [world.request(1) for _ in range(2)]

    def both(tx: Tx) -> None:
        for id in ids:
            leases.acquire(tx, "workflow", 1, id)

    with pytest.raises(LimitReachedError, match="1 of 1 workflows run"):
        world.write(both)
