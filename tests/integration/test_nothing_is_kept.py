"""An engine keeps nothing of workflows that have ended: no open file, thread or note of them."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.agents.builtin.provider import TextParser
from perles.config.home import Paths
from perles.config.model import Config, ResourcePolicy
from perles.engine.engine import Engine
from perles.executor.local.executor import LocalExecutor
from perles.executor.local.output_file import Source
from perles.store.reads.connection import reading
from tests import ports
from tests.integration.cli import DEADLINE, Home

WORKFLOWS = 16
AT_ONCE = 8


def test_an_output_that_was_let_go_of_is_not_opened_again(tmp_path: Path) -> None:
    """Whoever waited to read it asks once more after its turn was concluded."""
    output = tmp_path / "turn-1.out"
    output.write_text("a line\n")
    source = Source(output, text_only=True)
    assert source.size(None) == 7

    source.close()

    held = len(os.listdir("/proc/self/fd"))
    assert source.size(None) == 7
    source.read(0, TextParser(), None, ended=True)
    assert len(os.listdir("/proc/self/fd")) == held


def _held_of_sessions(home: Home) -> list[str]:
    """What this process holds open below the sessions of a home."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = str(Path(f"/proc/self/fd/{fd}").readlink())
        except FileNotFoundError:
            continue  # the listing's own
        if target.startswith(str(home.root / "sessions")):
            found.append(target)
    return found


def _open_workflows(home: Home) -> int:
    with reading(home.database) as connection:
        assert connection is not None
        query = "SELECT count(*) FROM workflows WHERE state IN ('pending', 'running')"
        return int(connection.execute(query).fetchone()[0])


async def _run_all(home: Home, engine: Engine, plane: ControlPlane) -> None:
    """Run many workflows, and wait until nothing is kept of them; raises with what is."""
    hosted = asyncio.ensure_future(engine.run())
    args = {"file": str(home.pipeline("p", [{"key": "a", "run": "echo a line"}]))}
    for _ in range(WORKFLOWS):
        spec = WorkflowSpec(template_id="pipeline", work_dir=str(home.work), args=args)
        id = await asyncio.to_thread(plane.create, spec)
        await asyncio.to_thread(plane.start, id)
    async with asyncio.timeout(DEADLINE):
        while _open_workflows(home):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.05)
    deadline = time.monotonic() + DEADLINE
    while kept := _kept(home, engine):
        assert time.monotonic() < deadline, kept
        await asyncio.sleep(0.05)
    engine.stop()
    await hosted


def _kept(home: Home, engine: Engine) -> dict[str, object]:
    """What an engine keeps, by name, without what is nothing."""
    context = engine._running
    assert context is not None
    turns, supervisor = context.turns, context.supervisor
    servers = supervisor._servers
    held = {
        "files": _held_of_sessions(home),
        "live turns": turns._live,
        "workflows in a hurry": turns._hurried,
        "workflows about to end": context.closing,
        "open workflows": context.served,
        "servers": [*servers._listeners, *servers.ports._held],
        "lanes": list(servers._host._commands._lanes),  # type: ignore[attr-defined]
    }
    return {name: value for name, value in held.items() if value}


def test_after_many_workflows_no_file_is_open_and_nothing_is_remembered(
    fresh_home: Home, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fresh_home
    home.root.mkdir(mode=0o700)
    shutil.copy(migrated, home.database)
    for name, value in home.environ.items():
        if name.startswith("PERLES_"):
            monkeypatch.setenv(name, value)
    policy = ResourcePolicy(
        max_workflows_running=AT_ONCE,
        port_range_start=ports.HOME,
        port_range_end=ports.HOME + 99,
    )
    engine = Engine(Paths(home.root), Config(resource_policy=policy), executor=LocalExecutor())

    asyncio.run(_run_all(home, engine, ControlPlane()))
