"""What a turn costs the engine among 10, 100 and 1,000 nodes, which are rows only."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from perles.config.cluster import Cluster
from perles.engine.fleet import nodes
from perles.engine.fleet.nodes import Heard
from perles.engine.fleet.placement import Placement
from perles.store import migrate, statements
from perles.store.schema.agents import Agent
from perles.store.transaction import Tx
from tests import ports
from tests.benchmarks.bench import Row
from tests.integration.scheduler_world import World, without_processes
from tests.integration.test_fleet import StillWork, _deliver

WORKFLOWS = 40
GIB = 2**30


def rows() -> Iterator[Row]:
    """The measurements."""
    cost = {count: asyncio.run(_cost(count)) for count in (10, 100, 1000)}
    yield Row("CPU a turn among 10 nodes", cost[10], "ms", "<= 10")
    yield Row("the same among 100, as a multiple", cost[100] / cost[10], "x", "<= 1.5")
    yield Row("the same among 1,000, as a multiple", cost[1000] / cost[10], "x", "<= 1.5")


async def _cost(count: int) -> float:
    """Milliseconds of CPU for each turn that begins and ends."""
    patch = pytest.MonkeyPatch()
    without_processes(patch)
    with TemporaryDirectory() as folder:
        migrate.ensure(Path(folder) / "perles.db")
        world = World(Path(folder), ports.SCHEDULER)
        try:
            return await _measured(world, count)
        finally:
            world.close()
            patch.undo()


async def _measured(world: World, count: int) -> float:
    config = replace(world.context.config, cluster=Cluster(scheduler="tcp://a:1"))
    world.context.config = config
    last = ports.SCHEDULER + WORKFLOWS
    limits = {"max_ai_calls": 1000, "max_workers": 1000, "max_workflows_running": 1000}
    world.limit(**limits, port_range_end=last)
    world.context.placing, world.context.remote = Placement(world.context), StillWork()
    told = Heard(slots=max(2, 200 // count), memory=8 * GIB, memory_free=8 * GIB)

    def add(tx: Tx) -> None:
        for number in range(count):
            nodes.heard(tx, f"n{number:04}", told)

    world.write(add)
    ids = [world.request(1) for _ in range(WORKFLOWS)]
    for id in ids:
        await world.context.supervisor.start(id)
        assert world.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=id)
    began = time.process_time()
    await _deliver(world)
    for live in list(world.turns.lives.values()):
        await world.finish(live, "succeed")
        world.tell(world.reader.need(Agent, live.agent_id))
        await _deliver(world)
    return (time.process_time() - began) * 1000 / (2 * WORKFLOWS)
