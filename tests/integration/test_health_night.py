"""A night of eight hours: fifty workflows that talk, rest, wait and compute, and one that hangs."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from perles.config.model import HealthPolicy
from perles.domain.clock import from_text
from perles.engine.turns.live import LiveTurn
from tests.integration.health_world import FIRST_PORT, SWEEP, HealthWorld
from tests.integration.scheduler_world import without_processes

WORKFLOWS = 50
SWEEPS = int(8 * 3600 / SWEEP)
TALKS, COMPUTES, COPIES, LIMITED, PAUSED = range(5)
WEIGHTS = (70, 8, 8, 10, 4)


class Sleeper:
    """A workflow of the night: it does one thing for a while, then another."""

    def __init__(self, world: HealthWorld, chooser: random.Random, id: str) -> None:
        self.world, self.chooser, self.id = world, chooser, id
        self.name = "worker-1"
        self.does, self.until, self.next_word = TALKS, 0, 0

    @property
    def live(self) -> LiveTurn:
        """The turn of its worker."""
        return self.world.live(self.id, self.name)

    async def act(self, sweep: int) -> LiveTurn | None:
        """What happens before this sweep; the turn that prints a line, if one does."""
        if sweep >= self.until:
            await self._change(sweep)
        if self.does == TALKS and sweep >= self.next_word:
            self.next_word = sweep + self.chooser.randint(1, 11)  # silent for 110 s at most
            return self.live
        return None

    async def _change(self, sweep: int) -> None:
        world = self.world
        if self.does == PAUSED:
            await world.resume(self.id)
        await world.turns.deliver()
        if world.agent(self.id, self.name).status != "working":
            self.until = sweep + 3  # the limit lasts
            return
        turn_id = self.live.turn_id
        world.computing.discard(turn_id)
        world.copying.discard(turn_id)
        self.does = self.chooser.choices(range(5), WEIGHTS)[0]
        self.until = sweep + self.chooser.randint(20, 400)
        if self.does == COMPUTES:
            world.computing.add(turn_id)
        elif self.does == COPIES:
            world.copying.add(turn_id)
        elif self.does == LIMITED:
            await world.rate_limit(self.live)
            self.until = sweep + 3
        elif self.does == PAUSED:
            await world.pause(self.id)
        self.next_word = sweep


@pytest.mark.parametrize("seed", [1])
def test_exactly_the_one_that_hangs_is_told_in_time(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    world = HealthWorld(tmp_path, FIRST_PORT)
    chooser = random.Random(seed)
    hangs_at = chooser.randint(SWEEPS // 4, SWEEPS // 2)

    async def run() -> tuple[str, str]:
        night = [await _workflow(world, chooser) for _ in range(WORKFLOWS)]
        victim, since = chooser.choice(night), ""
        for sweep in range(SWEEPS):
            if sweep >= hangs_at and not since and victim.does == TALKS:
                world.say(victim.live)
                since = world.database.now()
            words = [await one.act(sweep) for one in night if not since or one is not victim]
            world.say(*[live for live in words if live is not None])
            await world.sweep()
        return victim.id, since

    victim, since = asyncio.run(run())

    stuck = world.connection.execute(
        "SELECT workflow_id, created_at FROM events WHERE type = 'health.stuck'"
    ).fetchall()
    assert [row["workflow_id"] for row in stuck] == [victim]
    late = (from_text(stuck[0]["created_at"]) - from_text(since)).total_seconds()
    assert 0 < late <= HealthPolicy().progress_timeout + SWEEP
    assert world.told() == ["health.degraded", "health.stuck"]
    world.close()


async def _workflow(world: HealthWorld, chooser: random.Random) -> Sleeper:
    id = await world.begin()
    await world.give(id, "a")
    if chooser.random() < 0.5:
        await world.finish(world.live(id), "succeed")
    return Sleeper(world, chooser, id)
