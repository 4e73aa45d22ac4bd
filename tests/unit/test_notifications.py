"""The notify command: told once of each event that is wanted, whatever goes wrong with it."""

import asyncio
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import DatabaseError
from perles.engine.subscribers import notify
from perles.engine.subscribers.notify import Notifier, run_command
from perles.store.events import cursors, journal
from perles.store.events.bus import NOTIFY
from tests.integration.health_world import HealthWorld
from tests.unit.waiting import until


def _keeper(folder: Path) -> tuple[str, ...]:
    """A command that appends what it is told to a file."""
    script = folder / "keep.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')")
    return (sys.executable, "-I", "-S", str(script), str(folder / "told"))


def _told(folder: Path) -> list[dict[str, Any]]:
    file = folder / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _configure(world: HealthWorld, command: tuple[str, ...], *events: str) -> None:
    config = world.context.config
    wanted = replace(config.notify, command=command, events=events or ("*",), timeout=30.0)
    world.context.config = replace(config, notify=wanted)


def _happens(world: HealthWorld, *types: str) -> None:
    for type in types:
        world.write(partial(journal.append, type=type, payload={"text": "x"}))


def test_events_are_told_in_order_where_their_type_is_wanted(
    world: HealthWorld, tmp_path: Path
) -> None:
    async def run() -> None:
        _configure(world, _keeper(tmp_path), "workflow.*", "user.notification")
        _happens(world, "workflow.failed")  # before anybody was to be told of anything
        notifier = Notifier(world.context)
        await notifier.start()
        _happens(world, "workflow.started", "turn.started", "user.notification")
        notifier.look()
        await notifier.stop()

        told = _told(tmp_path)
        assert [one["type"] for one in told] == ["workflow.started", "user.notification"]
        assert told[0]["payload"]["text"] == "x"

    asyncio.run(run())


def test_the_next_engine_tells_what_this_one_did_not(world: HealthWorld, tmp_path: Path) -> None:
    async def run() -> None:
        _configure(world, _keeper(tmp_path))
        first = Notifier(world.context)
        await first.start()
        await first.stop()
        _happens(world, "workflow.started")
        second = Notifier(world.context)
        await second.start()
        await second.stop()
        third = Notifier(world.context)
        await third.start()
        await third.stop()

        assert [one["type"] for one in _told(tmp_path)] == ["workflow.started"]

    asyncio.run(run())


def test_without_a_command_nothing_is_kept_for_one(world: HealthWorld, tmp_path: Path) -> None:
    async def run() -> None:
        silent = Notifier(world.context)
        await silent.start()
        _happens(world, "workflow.started")
        silent.look()
        await silent.stop()
        _configure(world, _keeper(tmp_path))
        notifier = Notifier(world.context)
        await notifier.start()
        await notifier.stop()

        assert _told(tmp_path) == []

    asyncio.run(run())


def test_a_command_that_fails_is_told_of_in_the_journal_and_the_next_event_comes(
    world: HealthWorld, tmp_path: Path
) -> None:
    async def run() -> None:
        _configure(world, ("/bin/sh", "-c", "exit 3"))
        notifier = Notifier(world.context)
        await notifier.start()
        _happens(world, "workflow.started", "workflow.failed")
        notifier.look()
        await notifier.stop()

        query = "SELECT payload FROM events WHERE type = 'notify.failed' ORDER BY seq"
        told = [journal.decode(row[0]) for row in world.connection.execute(query)]
        assert [one["type"] for one in told] == ["workflow.started", "workflow.failed"]
        assert told[0]["reason"] == "/bin/sh ended with exit 3"

    asyncio.run(run())


@pytest.mark.parametrize("error", [DatabaseError("the disk is full"), KeyError("a damaged row")])
def test_whatever_goes_wrong_once_later_events_are_told(
    world: HealthWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(notify, "AGAIN_SECONDS", 0.01)

    async def run() -> None:
        _configure(world, _keeper(tmp_path))
        notifier = Notifier(world.context)
        await notifier.start()
        rows, failed = world.reader.rows, [0]

        def failing(*given: Any, **named: Any) -> Any:
            failed[0] += 1
            monkeypatch.setattr(type(world.reader), "rows", staticmethod(rows))
            raise error

        monkeypatch.setattr(type(world.reader), "rows", staticmethod(failing))
        notifier.look()
        await until(lambda: failed[0] == 1)
        _happens(world, "workflow.started")
        await until(lambda: len(_told(tmp_path)) == 1)
        await notifier.stop()

    asyncio.run(run())


def test_an_end_does_not_wait_for_a_command_that_hangs(world: HealthWorld, tmp_path: Path) -> None:
    async def run() -> None:
        _configure(world, ("/bin/sh", "-c", "sleep 300"))
        notifier = Notifier(world.context)
        await notifier.start()
        _happens(world, "workflow.started", "workflow.failed")
        world.context.config = replace(
            world.context.config, notify=replace(world.context.config.notify, timeout=0.2)
        )
        await notifier.stop()

        (first, *_) = world.connection.execute(
            "SELECT max(seq) FROM events WHERE type = 'workflow.started'"
        ).fetchone()
        at = world.write(lambda tx: cursors.begin(tx, NOTIFY))
        assert at >= first  # it is not told again

    asyncio.run(run())


def test_a_notifier_that_was_not_started_ends_at_once(world: HealthWorld) -> None:
    asyncio.run(Notifier(world.context).stop())


def test_what_a_command_is_told_and_how_it_ends(tmp_path: Path) -> None:
    async def run() -> None:
        done = await run_command(_keeper(tmp_path), b'{"a": 1}', 30, {})
        assert (done, _told(tmp_path)) == (None, [{"a": 1}])
        gone = await run_command(("/no/such/program",), b"", 30, {})
        assert gone == "cannot run /no/such/program: No such file or directory"
        late = await run_command(("/bin/sh", "-c", "sleep 300"), b"", 0.1, {})
        assert late == "/bin/sh took longer than 0.1s and was killed"

    asyncio.run(run())
