"""A clock that is set, ahead, back and to and fro: durations go on, sweeps come as before."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, cast

import pytest
from apscheduler.schedulers import base as apscheduler

from perles.config.model import Config, Retention
from perles.dashboard.frames.parts import uptime
from perles.domain.clock import from_text, to_text
from perles.engine.sweeps import heartbeat
from perles.engine.sweeps.clock_watch import ClockWatch
from perles.engine.sweeps.retention import TRUST_SECONDS, RetentionSweep
from perles.engine.sweeps.sweeps import Sweeps
from perles.store.reads.connection import reading
from perles.store.reads.dashboard import rows
from perles.store.schema.agents import ProviderHold
from perles.store.schema.engine import Engine
from perles.store.schema.workflows import Workflow
from tests.integration.cli import DEADLINE
from tests.integration.health_world import HealthWorld

HOUR, DAY, TEN_YEARS = 3600.0, 86_400.0, 3652 * 86_400.0
ZIGZAG = (HOUR, -2 * HOUR, TEN_YEARS, -TEN_YEARS, -DAY, 2 * DAY)
SETTINGS: list[tuple[float, ...]] = [
    (HOUR,),
    (-HOUR,),
    (DAY,),
    (-DAY,),
    (TEN_YEARS,),
    (-TEN_YEARS,),
    ZIGZAG,
]


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock that APScheduler reads; the time that passes stays true."""
    shift = timedelta()

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + shift

    def set_ahead(seconds: float) -> None:
        nonlocal shift
        shift += timedelta(seconds=seconds)

    monkeypatch.setattr(apscheduler, "datetime", Wall)
    return set_ahead


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("settings", SETTINGS)
def test_sweeps_come_by_elapsed_time(
    wall: Callable[[float], None], settings: tuple[float, ...]
) -> None:
    """Each goes on after the clock was set, and none makes up for what it seems to have missed."""
    swept: list[float] = []

    async def sweep() -> None:
        swept.append(time.monotonic())

    async def run() -> None:
        sweeps = Sweeps(cast(Any, SimpleNamespace()), look_again=lambda: None)
        sweeps.every(0.02, "mine", sweep)
        sweeps.start()
        for seconds in settings:
            before = len(swept)
            wall(seconds)
            await _until(lambda: len(swept) >= before + 3)  # noqa: B023 - awaited right here
        await sweeps.stop()
        after = len(swept)
        await asyncio.sleep(0.1)
        assert len(swept) == after

    asyncio.run(run())
    assert len(swept) - 1 <= (swept[-1] - swept[0]) / 0.02 + 1  # whatever was late


@pytest.mark.parametrize("settings", SETTINGS)
def test_timeouts_go_on_as_if_nothing_was_set(
    world: HealthWorld, settings: tuple[float, ...]
) -> None:
    """Silent for 280 seconds in all is not stuck; for 310 it is, whatever the clock shows."""

    async def run() -> None:
        watch = ClockWatch(world.context, [lambda s: world.monitor.clock_was_set(s)])
        await world.begin()
        for seconds in settings:
            await world.pass_(280 // len(settings) // 10 * 10)
            world.clock.set_ahead(seconds)
            await watch.look()
        assert "health.stuck" not in world.told()
        await world.pass_(310 - 280 // len(settings) // 10 * 10 * len(settings))
        assert "health.stuck" in world.told()

    asyncio.run(run())


async def _heard(world: HealthWorld) -> str:
    """A workflow that runs for 50 seconds, and was last heard of a while ago."""
    id = await world.begin()
    await world.pass_(10)
    world.say(world.live(id))
    await world.pass_(40)
    return id


def _shown(world: HealthWorld, id: str) -> tuple[float, float]:
    """Uptime as the dashboard shows it, and the age of the heartbeat."""
    with reading(world.database.path) as connection:
        assert connection is not None
        row = rows(connection, [id])[id]
    now = world.clock.now().timestamp()
    beat = from_text(row["last_heartbeat_at"]).timestamp()
    shown = uptime(dict(row), now)
    assert shown is not None
    return shown, now - beat


@pytest.mark.parametrize("settings", SETTINGS)
def test_shown_durations_go_on_as_if_nothing_was_set(
    world: HealthWorld, settings: tuple[float, ...]
) -> None:
    async def run() -> None:
        watch = ClockWatch(world.context, [lambda s: world.monitor.clock_was_set(s)])
        id = await _heard(world)
        before = _shown(world, id)
        for seconds in settings:
            world.clock.set_ahead(seconds)
            await watch.look()
            assert _shown(world, id) == pytest.approx(before, abs=0.01)

    asyncio.run(run())


def test_uptime_stands_still_while_paused_and_goes_on_from_there(world: HealthWorld) -> None:
    async def run() -> None:
        watch = ClockWatch(world.context, [])
        id = await _heard(world)
        await world.context.supervisor.pause(id, reason="test")
        world.clock.advance(HOUR)
        world.clock.set_ahead(-DAY)
        await watch.look()
        paused = _shown(world, id)[0]
        await world.context.supervisor.resume(id)
        world.clock.advance(7)
        assert (paused, _shown(world, id)[0]) == pytest.approx((50, 57), abs=0.01)

    asyncio.run(run())


def test_uptime_in_json_stands_still_while_paused_and_is_never_negative(
    world: HealthWorld,
) -> None:
    id = world.request(1)
    asyncio.run(world.context.supervisor.start(id))

    def uptime_s(**times: Any) -> Any:
        world.write(lambda tx: tx.update(Workflow, id, **times))
        query = "SELECT uptime_s FROM workflow_overview WHERE id = ?"
        return world.connection.execute(query, (id,)).fetchone()[0]

    hour = {"started_at": "2026-01-01T00:00:00.000Z", "paused_at": "2026-01-01T01:00:00.000Z"}
    assert uptime_s(**hour) == 3600
    assert uptime_s(**hour, paused_s=600.0) == 3000
    assert uptime_s(started_at="2999-01-01T00:00:00.000Z", paused_at=None) == 0


def test_holds_never_last_longer_for_a_clock_that_is_set(world: HealthWorld) -> None:
    async def run() -> None:
        watch = ClockWatch(world.context, [])
        id = await world.begin()
        await world.rate_limit(world.live(id), 600)
        for seconds in ZIGZAG:
            world.clock.set_ahead(seconds)
            await watch.look()
            now = world.clock.now()
            held = world.agent(id).held_until
            until = world.reader.need(ProviderHold, world.agent(id).provider).until
            assert held is not None
            for text in (held, until):
                assert (from_text(text) - now).total_seconds() <= 602

    asyncio.run(run())


def test_what_was_written_after_the_clock_was_set_stays(world: HealthWorld) -> None:
    async def run() -> None:
        watch = ClockWatch(world.context, [])
        id = await world.begin()
        await watch.look()
        world.clock.set_ahead(DAY)
        world.clock.advance(3)
        now = to_text(world.clock.now())
        world.write(lambda tx: tx.update(Workflow, id, last_progress_at=now))
        world.clock.advance(1)
        await watch.look()
        assert world.reader.need(Workflow, id).last_progress_at == now

    asyncio.run(run())


def test_a_clock_that_was_set_while_no_engine_ran_is_noticed(world: HealthWorld) -> None:
    async def run() -> None:
        id = await _heard(world)
        world.write(lambda tx: heartbeat.started(tx, world.clock))
        world.write(lambda tx: heartbeat.beat(tx, world.clock))
        before = _shown(world, id)
        world.clock.set_ahead(-TEN_YEARS)
        world.write(lambda tx: heartbeat.started(tx, world.clock))
        assert _shown(world, id) == pytest.approx(before, abs=0.01)

    asyncio.run(run())


def test_times_to_come_of_an_earlier_boot_are_taken_for_now(world: HealthWorld) -> None:
    async def run() -> None:
        id = await _heard(world)
        world.write(lambda tx: heartbeat.started(tx, world.clock))
        world.write(lambda tx: tx.update(Engine, 1, boot_id="another"))
        world.clock.set_ahead(-DAY)
        world.write(lambda tx: heartbeat.started(tx, world.clock))
        assert _shown(world, id)[1] == pytest.approx(0, abs=0.01)

    asyncio.run(run())


def test_setting_the_clock_is_told_once_with_its_size(world: HealthWorld) -> None:
    async def run() -> None:
        watch = ClockWatch(world.context, [])
        world.clock.set_ahead(0.4)
        await watch.look()
        world.clock.set_ahead(HOUR)
        await watch.look()
        await watch.look()

    asyncio.run(run())
    query = "SELECT payload FROM events WHERE type = 'engine.clock_set'"
    found = [json.loads(row[0]) for row in world.connection.execute(query)]
    assert [payload["seconds"] for payload in found] == [HOUR + 0.4]


def test_a_clock_set_ahead_does_not_make_retention_remove_all_there_is(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def keep_up(_paths: object, wanted: Retention, _clock: object) -> dict[str, Any]:
        asked.append(wanted.older_than)
        return {"backup": None, "pruned": [], "spared": []}

    monkeypatch.setattr("perles.engine.sweeps.retention.keep_up", keep_up)
    world.context.config = Config(retention=Retention(older_than=DAY, backup_every=DAY))
    sweep = RetentionSweep(world.context)

    async def run() -> None:
        await sweep.sweep()
        world.clock.set_ahead(TEN_YEARS)
        sweep.clock_was_set(TEN_YEARS)
        await sweep.sweep()
        world.clock.advance(TRUST_SECONDS + 1)
        await sweep.sweep()

    asyncio.run(run())
    assert asked == [DAY, 0.0, DAY]
