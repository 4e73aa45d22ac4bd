"""Every state, every signal, every policy: exactly the events that are due, and no others."""

import asyncio
import shutil
from itertools import product
from pathlib import Path

import pytest

from perles.agents.provider import Kind
from perles.config.model import HealthPolicy
from perles.domain.states import WORKFLOW
from tests.integration.health_world import FIRST_PORT, HealthWorld
from tests.integration.scheduler_world import without_processes

_ALL = {"enable_auto_nudge": True, "enable_auto_replace": True, "enable_auto_pause": True}


def _policy(**values: object) -> HealthPolicy:
    return HealthPolicy(**{"max_recoveries": 9, "on_exhausted": "alert", **values})  # type: ignore[arg-type]


POLICIES = {
    "reports": (HealthPolicy(), []),
    "nudges": (_policy(enable_auto_nudge=True), ["nudge", "nudge", "exhausted"]),
    "replaces": (_policy(enable_auto_replace=True), ["replace", "exhausted"]),
    "pauses": (_policy(enable_auto_pause=True), ["pause"]),
    "does all": (_policy(**_ALL), ["nudge", "nudge", "replace", "pause"]),
    "does one thing": (_policy(**{**_ALL, "max_recoveries": 1}), ["nudge", "exhausted"]),
    "may do nothing": (_policy(**{**_ALL, "max_recoveries": 0}), []),
}
SIGNALS = ("none", "beats", "progress")
HALF_AN_HOUR = 180


@pytest.mark.parametrize("name", POLICIES)
def test_every_cell_gives_exactly_its_events(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    policy, steps = POLICIES[name]
    world = HealthWorld(tmp_path, FIRST_PORT, policy)
    cells = {}

    async def run() -> None:
        for state, signal in product(WORKFLOW.states, SIGNALS):
            cells[await _workflow_in(world, state, signal)] = (state, signal)
        for _ in range(HALF_AN_HOUR):
            for id, (state, signal) in cells.items():
                if state == "running":
                    _give_sign(world, id, signal)
            await world.sweep()

    asyncio.run(run())

    assert len(cells) == len(WORKFLOW.states) * len(SIGNALS)
    for id, (state, signal) in cells.items():
        assert world.told(of=id) == _expected(state, signal, steps), (state, signal)
    world.close()


def _expected(state: str, signal: str, steps: list[str]) -> list[str]:
    if state != "running" or signal == "progress":
        return []
    recovery = [
        "recovery.exhausted alert" if step == "exhausted" else f"recovery.attempted {step}"
        for step in steps
    ]
    return [*["health.degraded"][: signal == "none"], "health.stuck", *recovery]


async def _workflow_in(world: HealthWorld, state: str, signal: str) -> str:
    id = world.request(1)
    if state == "pending":
        return id
    await world.begin(id)
    if signal == "progress":
        await world.give(id, "a")
    if state == "paused":
        await world.pause(id)
    elif state != "running":
        trigger = {"completed": "complete", "failed": "fail", "stopped": "stop"}[state]
        await world.end(id, trigger)
    return id


def _give_sign(world: HealthWorld, id: str, signal: str) -> None:
    if signal == "progress":
        world.say(world.live(id, "worker-1"))
    elif signal == "beats":
        for live in world.turns.of(id):
            world.say(live, kind=Kind.USAGE)
