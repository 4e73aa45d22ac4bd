"""Providers on hold, and limits that CLIs tell of: looked at, shown, lifted."""

import asyncio
import json
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.domain.errors import NotFoundError
from perles.engine.resources import provider_holds
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.executor.contract import Batch
from perles.store.events import journal
from perles.store.schema.agents import ProviderHold, ProviderLimit
from tests import ports
from tests.integration.cli import Home
from tests.integration.health_world import HealthWorld
from tests.integration.scheduler_world import without_processes
from tests.integration.scripted_cli import program, prompted, task_of

DAYS = 39 * 86_400


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthWorld]:
    """An empty world with a clock of its own."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = HealthWorld(tmp_path, ports.HEALTH)
    yield made
    made.close()


def _types(world: HealthWorld, glob: str) -> list[str]:
    return world.told(glob)


async def _held(world: HealthWorld) -> list[str]:
    """Two workflows, and a provider that is on hold for 39 days on the word of the first."""
    ids = [await world.begin(), await world.begin()]
    await world.turns.end(world.live(ids[1]), Ending("succeed", "turn_ended"), Outcome(True))
    await world.rate_limit(world.live(ids[0]), DAYS)
    world.tell(world.agent(ids[1]))
    await world.turns.deliver()
    assert world.turns.lives == {}
    return ids


def test_a_long_hold_is_looked_at_by_one_turn_an_hour(world: HealthWorld) -> None:
    async def run() -> None:
        await _held(world)
        for _ in range(3):
            world.clock.advance(3590)
            await world.turns.deliver()
            assert world.turns.lives == {}
            world.clock.advance(20)
            await world.turns.deliver()
            (live,) = world.turns.lives.values()
            await world.rate_limit(live, DAYS)
            await world.turns.deliver()
        assert len(_types(world, "provider.probed")) == 3

    asyncio.run(run())


def test_a_look_that_succeeds_ends_the_hold_for_all(world: HealthWorld) -> None:
    async def run() -> None:
        await _held(world)
        world.clock.advance(3610)
        await world.turns.deliver()
        (live,) = world.turns.lives.values()
        await world.turns.end(live, Ending("succeed", "turn_ended"), Outcome(True))
        assert world.reader.get(ProviderHold, "scripted") is None
        await world.turns.deliver()
        others = {each.workflow_id for each in world.turns.lives.values()} - {live.workflow_id}
        assert len(others) == 1

    asyncio.run(run())


def test_a_hold_that_a_look_finds_shorter_is_shorter(world: HealthWorld) -> None:
    async def run() -> None:
        await _held(world)
        world.clock.advance(3610)
        await world.turns.deliver()
        (live,) = world.turns.lives.values()
        await world.rate_limit(live, 120)
        world.clock.advance(125)
        await world.turns.deliver()
        assert len(world.turns.lives) == 2

    asyncio.run(run())


def test_a_person_lifts_a_hold_and_sees_who_said_it(world: HealthWorld) -> None:
    async def run() -> None:
        ids = await _held(world)
        found = world.reader.need(ProviderHold, "scripted")
        assert found.said_by == f"coordinator of {ids[0]}"

        said = world.write(lambda tx: provider_holds.resume(tx, "scripted"))

        assert "rate limit" in said
        await world.turns.deliver()
        assert len(world.turns.lives) == 2
        with pytest.raises(NotFoundError):
            world.write(lambda tx: provider_holds.resume(tx, "scripted"))

    asyncio.run(run())


def test_a_window_that_is_nearly_used_up_is_told_once(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        for used in (0.5, 0.91, 0.95):
            window = {"window": "5h", "used": used, "resets_at": "2999-01-01T00:00:00.000Z"}
            batch = Batch([AgentEvent(Kind.LIMIT, "", {"windows": [window]})], live.offset, True)
            world.write(partial(apply_batch, live=live, batch=batch))
        assert world.reader.need(ProviderLimit, "scripted/5h").used == 0.95
        row = world.connection.execute(
            "SELECT payload FROM events WHERE type = 'provider.near_limit'"
        ).fetchall()
        assert [journal.decode(one[0])["percent"] for one in row] == [91]

    asyncio.run(run())


def _claude(home: Home, *lines: dict[str, Any]) -> None:
    """A `claude` that prints these lines and then works on for ever."""
    told = "".join(f"print({json.dumps(json.dumps(line))}, flush=True)\n" for line in lines)
    path = program(home, "claude-stand-in", f"import time\n{told}time.sleep(600)\n")
    home.config_file.write_text(yaml.safe_dump({"orchestration": {"claude": {"executable": path}}}))


def _retry(status: int, error: str) -> dict[str, Any]:
    told = {"attempt": 1, "retry_delay_ms": 90_000, "error_status": status, "error": error}
    return {"type": "system", "subtype": "api_retry", **told}


def test_a_wrong_key_ends_the_turn_while_the_cli_still_tries(home: Home) -> None:
    _claude(home, _retry(401, "authentication_failed"))

    done = home.perles("run", prompted(home, worker="claude"))

    assert done.returncode == 1
    assert "log in with" in task_of(home)["failure"]


def test_a_limit_that_the_cli_sits_out_is_shown_and_so_is_its_quota(home: Home) -> None:
    windows = {"five_hour": {"utilization": 0.93, "resetsAt": 4_000_000_000}}
    limits = {"type": "rate_limit_event", "rate_limit_info": {"unifiedWindows": windows}}
    _claude(home, limits, _retry(429, "rate_limit"))
    id = str(home.json("create", prompted(home, worker="claude"), "--json")["id"])
    engine = home.popen("serve")
    assert home.perles("start", id).returncode == 0

    home.wait_for("the retry", lambda: home.events("--type", "agent.rate_limited"))

    (shown,) = home.json("list", "--json")
    assert any("rate limited until" in text for text in shown["waits_for"])
    assert "5h quota of claude 93% used, anew at 2096-10-02 07:06" in shown["waits_for"]
    assert "claude 5h" in home.perles("resources").stdout
    (mine,) = [p for p in home.json("providers", "--json") if p["name"] == "claude"]
    assert mine["windows"][0]["used"] == 0.93
    home.perles("stop", id, "--force")
    engine.send_signal(signal.SIGTERM)
    engine.communicate()


def test_the_total_of_all_is_counted_from_0_again_with_a_reason(home: Home) -> None:
    home.perles("create", prompted(home, worker="builtin", run="true"))
    assert home.perles("resources", "reset", "tokens").returncode == 2
    assert home.perles("resources", "reset", "ports", "--reason", "x").returncode == 2

    done = home.perles("resources", "reset", "tokens", "--reason", "a wrong line")

    assert done.returncode == 0
    (event,) = home.events("--type", "resource.reset")
    assert event["payload"]["reason"] == "a wrong line"
    assert home.perles("providers", "resume", "claude").returncode != 0
