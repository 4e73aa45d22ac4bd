"""I12 and I13 under any interleaving: random steps over the scheduler's own code."""

import asyncio
import random
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from perles.store.expressions import select
from perles.store.schema.resources import Lease
from perles.store.sql import Sql
from tests import ports
from tests.integration.scheduler_world import World, without_processes
from tests.postgres.homes import another

STEPS = 10_000
_ALL_LEASES = Sql(select(Lease))
FIRST_PORT = ports.SCHEDULER


async def act(world: World, what: str, draw: "Draw") -> None:
    """One random thing happens, as far as it can now."""
    running, paused = world.workflows("running"), world.workflows("paused")
    lives = list(world.turns.lives.values())
    agents = world.agents()
    world.clock.advance(draw.number(1, 90))
    if what == "request":
        world.request(draw.number(0, 2), token_budget=draw.number(0, 3) * 500)
    elif what == "pause" and running:
        await world.pause(draw.of(running))
    elif what == "resume" and paused:
        await world.resume(draw.of(paused))
    elif what in ("stop", "complete") and running:
        await world.end(draw.of(running), what)
    elif what == "cancel" and (waiting := world.workflows("pending")):
        await world.end(draw.of(waiting), "stop")
    elif what == "spawn" and running:
        world.spawn(draw.of(running))
    elif what == "tell" and agents:
        world.tell(draw.of(agents))
    elif what == "spend" and lives:
        world.spend(draw.of(lives))
    elif what in ("succeed", "fail") and lives:
        await world.finish(draw.of(lives), what)
    elif what == "crash":
        world.crash()
    elif what == "torn" and agents:
        world.torn(draw.of(agents))
    elif what == "limits":
        world.limit(
            max_workflows_running=draw.number(1, 5),
            max_workers=draw.number(1, 7),
            max_ai_calls=draw.number(1, 5),
        )
    elif what == "set" and (waiting := world.workflows("pending")):
        world.set_priority(draw.of(waiting), ("low", "normal", "high")[draw.number(0, 2)])
    await world.step()


WEIGHTS = {
    **{"request": 5, "pause": 2, "resume": 3, "stop": 1, "complete": 2, "cancel": 1, "spawn": 6},
    **{"tell": 14, "spend": 14, "succeed": 12, "fail": 1, "crash": 1, "torn": 1, "limits": 1},
    "set": 1,
}


class Draw:
    """Choices: from a seeded generator, or from Hypothesis."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def number(self, low: int, high: int) -> int:
        """A number in a range."""
        if isinstance(self._data, random.Random):
            return self._data.randint(low, high)
        return int(self._data.draw(st.integers(low, high)))

    def of(self, values: list[Any]) -> Any:
        """One of them."""
        return values[self.number(0, len(values) - 1)]


async def drain(world: World) -> int:
    """Let all that runs end, round by round, until nobody waits; how many rounds that took."""
    rounds = 0
    while world.workflows("pending", "running", "paused"):
        for id in world.workflows("paused"):
            await world.end(id, "stop")
        for live in list(world.turns.lives.values()):
            await world.finish(live, "succeed")
        for id in world.workflows("running"):
            await world.end(id, "complete")
        await world.step()
        rounds += 1
    return rounds


@pytest.mark.parametrize("seed", [6])
def test_ten_thousand_random_steps_break_no_limit_and_leak_no_lease(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    world = World(tmp_path, FIRST_PORT)
    chooser = random.Random(seed)

    async def run() -> None:
        for what in chooser.choices(list(WEIGHTS), list(WEIGHTS.values()), k=STEPS):
            await act(world, what, Draw(chooser))
        waiting = len(world.workflows("pending"))
        rounds = await drain(world)
        # Every request is granted: as many a round as there are slots, at least one.
        assert rounds <= waiting + 2

    asyncio.run(run())
    assert world.reader.rows(_ALL_LEASES) == []
    world.close()


def test_random_steps_that_hypothesis_chooses_break_nothing(
    migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.opened = ExitStack()
            self.opened.enter_context(another(monkeypatch))
            self.folder = tempfile.mkdtemp()
            shutil.copy(migrated, Path(self.folder) / "perles.db")
            self.world = World(Path(self.folder), FIRST_PORT)
            self.loop = asyncio.new_event_loop()

        @rule(what=st.sampled_from(list(WEIGHTS)), data=st.data())
        def happen(self, what: str, data: Any) -> None:
            self.loop.run_until_complete(act(self.world, what, Draw(data)))

        def teardown(self) -> None:
            if hasattr(self, "world"):
                self.loop.run_until_complete(drain(self.world))
                assert self.world.reader.rows(_ALL_LEASES) == []
                self.loop.close()
                self.world.close()
                shutil.rmtree(self.folder)
                self.opened.close()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
