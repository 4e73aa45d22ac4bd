"""The health sweep looks at each workflow for itself: one that raises hides no other."""

import asyncio

import pytest

from perles.store.expressions import update
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from tests.integration.health_world import HealthWorld

DAMAGE = {
    "the date of its last recovery": {"last_recovery_at": "not a date"},
    "the date of its last progress": {"last_progress_at": "zzzz"},
    "the date of its last heartbeat": {"last_heartbeat_at": "~", "last_progress_at": "zzzz"},
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_row_that_raises_hides_no_other_workflow(world: HealthWorld, what: str) -> None:
    async def run() -> None:
        damaged, silent = await world.begin(), await world.begin()
        await world.sweep()
        world.write(lambda tx: tx.update(Workflow, damaged, **DAMAGE[what], health="degraded"))

        await world.pass_(600)

        assert world.reader.need(Workflow, silent).health == "stuck"

    asyncio.run(run())


def test_a_worker_whose_row_raises_hides_no_other_worker(world: HealthWorld) -> None:
    async def run() -> None:
        first, second = await world.begin(), await world.begin()
        names = [await world.give(id, "a") for id in (first, second)]
        busy = [world.live(id, await world.give(id, "b")) for id in (first, second)]
        await world.sweep()
        damaged = world.agent(first, names[0])
        dates = {"last_activity_at": "", "updated_at": "0000-no date"}
        damage = Sql(update(Agent).where(Agent.id == damaged.id).values(dates))
        world.write(lambda tx: tx.run(damage))

        for _ in range(60):
            world.say(*busy)
            await world.sweep()

        found = world._rows("SELECT DISTINCT workflow_id FROM events WHERE type = 'health.stuck'")
        assert [row[0] for row in found] == [second]

    asyncio.run(run())
