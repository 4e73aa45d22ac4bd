"""Silent agents: a call that hangs, an answer that is printed when it is whole, and real work."""

import asyncio
from pathlib import Path
from typing import Any, cast

import yaml

from perles.agents.clis.codex_usage import CodexLog
from perles.agents.clis.session_log import SessionReader
from perles.agents.provider import find
from perles.config.model import HealthPolicy
from perles.config.provider_settings import ProviderSettings
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Used
from tests.integration.cli import DEADLINE, Home
from tests.integration.health_world import SWEEP, HealthWorld
from tests.integration.scripted_cli import program
from tests.integration.test_health import PREFIX

STUCK = ["health.degraded", "health.stuck"]
SESSION = "0123abcd-0000-4000-8000-000000000000"
# What idle CLIs were seen to use while their model says nothing: 13 % of a core, 10 kB/s.
NOISE = Used(0.0, 0, SWEEP * 0.13)
# Waits for an answer as such a CLI does: it polls at 13 % of a core, and more.
HANGS = """\
import json, sys, time
sys.stdin.read()
session = "0123abcd-0000-4000-8000-000000000000"
print(json.dumps({"type": "thread.started", "thread_id": session}), flush=True)
began = time.monotonic()
while time.monotonic() < began + 600:
    spins = time.monotonic() + 0.05
    while time.monotonic() < spins:
        open("/proc/self/maps").read()
    time.sleep(0.05)
"""


async def _silent(world: HealthWorld, live: LiveTurn, seconds: float, more: Used = NOISE) -> None:
    """The turn prints nothing, and uses more each sweep."""
    for _ in range(int(seconds / SWEEP)):
        world.used[live.turn_id] = world.used.get(live.turn_id, Used()) + more
        await world.sweep()


def test_the_noise_of_a_cli_whose_call_hangs_is_no_work(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        await _silent(world, world.live(id), 310)
        assert world.told() == STUCK

    asyncio.run(run())


def test_an_answer_is_given_the_time_until_it_is_whole_and_no_more(world: HealthWorld) -> None:
    world.policy_of_health(HealthPolicy(heartbeat_timeout=10, progress_timeout=20))

    async def run() -> None:
        id = await world.begin()
        live = world.live(id)
        live.silent = 60
        await _silent(world, live, 50)
        assert world.told() == []
        world.say(live)  # the answer, and then a call that hangs
        await _silent(world, live, 60)
        assert world.told() == []
        await _silent(world, live, 20)
        assert "health.stuck" in world.told()

    asyncio.run(run())


def test_a_worker_alone_is_given_it_too(world: HealthWorld) -> None:
    world.policy_of_health(HealthPolicy(heartbeat_timeout=40, progress_timeout=40))

    async def run() -> None:
        id = await world.begin()
        await world.give(id, "a")
        await world.give(id, "b")
        await world.finish(world.live(id), "succeed")
        world.live(id, "worker-2").silent = 180
        for seconds in range(0, 190, int(SWEEP)):
            assert world.told() == [], f"after {seconds} s"
            world.say(world.live(id, "worker-1"))
            await world.sweep()
        assert world.told() == ["health.stuck worker-2"]

    asyncio.run(run())


def test_what_a_session_file_gains_is_work_although_nothing_is_printed(
    world: HealthWorld, tmp_path: Path
) -> None:
    async def run() -> None:
        id = await world.begin()
        live = world.live(id)
        live.log = SessionReader(CodexLog({"CODEX_HOME": str(tmp_path)}), {"session": SESSION})
        folder = tmp_path / "sessions" / "2026" / "11" / "26"
        folder.mkdir(parents=True)
        file = folder / f"rollout-x-{SESSION}.jsonl"
        for _ in range(60):
            with file.open("a") as rollout:
                rollout.write('{"type":"response_item"}\n')
            live.log.read(SESSION)
            await _silent(world, live, SWEEP)
        assert world.told() == []
        await _silent(world, live, 310)
        assert world.told() == STUCK

    asyncio.run(run())


def test_a_program_that_computes_by_itself_works_where_that_is_known_of_it(
    world: HealthWorld,
) -> None:
    computes = Used(0.0, 0, SWEEP * 0.9)

    async def run() -> None:
        waits, works = [await world.begin() for _ in range(2)]
        world.live(works).computes = True
        for _ in range(31):
            for live in (world.live(waits), world.live(works)):
                world.used[live.turn_id] = world.used.get(live.turn_id, Used()) + computes
            await world.sweep()
        assert world.told(of=waits) == STUCK
        assert world.told(of=works) == []

    asyncio.run(run())


def test_each_provider_says_how_long_it_is_silent_and_the_configuration_another_time() -> None:
    def seconds(name: str, **more: Any) -> float:
        found = find(name, ProviderSettings(name, **more))
        return cast(float, cast(Any, found).silent_seconds)

    assert {name: seconds(name) for name in ("claude", "codex", "opencode", "gemini")} == {
        "claude": 180.0,
        "codex": 180.0,
        "opencode": 180.0,
        "gemini": 60.0,
    }
    assert seconds("codex", silent=600.0) == 600.0
    assert seconds("mycli", type="command", argv=("x",), silent=5.0) == 5.0
    assert seconds("mycli", type="command", argv=("x",)) == 0.0


def test_a_real_process_that_only_waits_noisily_is_told(home: Home) -> None:
    path = program(home, "codex-stand-in", HANGS)
    settings = {"executable": path, "silent": "0s"}
    home.config_file.write_text(yaml.safe_dump({"orchestration": {"codex": settings}}))
    home.environ |= {f"{PREFIX}HEARTBEAT_TIMEOUT": "1s", f"{PREFIX}PROGRESS_TIMEOUT": "2s"}
    tasks = [{"key": "ask", "prompt": "Answer.", "worker": "codex"}]
    home.perles("create", home.pipeline("hangs", tasks))
    engine = home.popen("serve")

    home.perles("start", "hangs")

    home.wait_for("the hung call", lambda: home.events("--type", "health.stuck"))
    engine.terminate()
    engine.communicate(timeout=DEADLINE)
