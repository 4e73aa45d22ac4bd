"""What an engine finds of the turns of the one before it: adopted, finished, lost or failed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perles.agents.provider import Launch
from perles.engine.recovery.reconcile import reconcile
from perles.engine.supervision.supervisor import Supervisor
from perles.engine.turns.runner import Turns
from perles.executor.contract import Identity, TurnFiles
from perles.executor.local import launcher, processes
from perles.executor.local.identity import is_alive
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Turn
from perles.store.schema.workflows import Workflow
from tests.integration.health_world import HealthWorld
from tests.integration.scheduler_world import NoPorts, NoServers

REAL = (processes.family, processes.signal_family)


class KeptPorts(NoPorts):
    """Ports that were held while no engine ran, by workflow."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports

    def held(self, workflow_id: str) -> Any:
        """What listens for a workflow."""
        if workflow_id not in self._ports:
            return None
        return SimpleNamespace(getsockname=lambda: ("127.0.0.1", self._ports[workflow_id]))

    async def drop_others(self, _served: set[str]) -> None:
        """None is left."""


class _Engine:
    """The next engine: its own turns, and its own ports."""

    def __init__(self, world: HealthWorld, *, kept: bool = True) -> None:
        services, servers = world.context, NoServers()
        running = services.reader.all(Workflow, statements.RUNNING_WORKFLOWS)
        servers.ports = KeptPorts({one.id: one.mcp_port or 0 for one in running} if kept else {})
        services.turns = self.turns = Turns(services)
        services.supervisor = Supervisor(services, self.turns, cast(Any, servers))
        services.served.clear()
        self.services = services

    async def reconcile(self) -> dict[str, int]:
        """Start; what it says that it found."""
        await reconcile(self.services)
        await self.turns.settle()
        query = "SELECT payload FROM events WHERE type = 'engine.reconciled' ORDER BY seq DESC"
        row = self.services.reader._connection.execute(query).fetchone()
        return {} if row is None else dict(journal.decode(row[0]))


@pytest.fixture
def started() -> Iterator[list[Identity]]:
    """Processes that a test starts, which end with it."""
    found: list[Identity] = []
    yield found
    for one in found:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _turn(world: HealthWorld, id: str) -> Turn:
    return world.reader.need(Turn, world.live(id).turn_id)


def _files(world: HealthWorld, turn: Turn) -> TurnFiles:
    files = TurnFiles.at(world.context.paths.found(turn.stdout_path))
    files.stdout.parent.mkdir(parents=True, exist_ok=True)
    files.stdout.touch()
    files.stderr.touch()
    return files


def _spawn(world: HealthWorld, turn: Turn, mark: str) -> Identity:
    files = _files(world, turn)
    environ = {**os.environ, "PERLES_TURN": mark}
    return launcher.spawn(Launch(argv=["sleep", "60"]), cwd=Path("/"), env=environ, files=files)


def _kill(one: Identity) -> None:
    os.killpg(one.pid, signal.SIGKILL)
    os.waitpid(one.pid, 0)


def _stray(id: str, turn: Turn) -> "subprocess.Popen[bytes]":
    mark = {"PERLES_TURN": f"{id}/{turn.id}", "PERLES_WORKFLOW": id}
    return subprocess.Popen(["sleep", "60"], env={**os.environ, **mark})


async def _begun(world: HealthWorld) -> tuple[str, Turn]:
    id = await world.begin()
    return id, _turn(world, id)


def _row(world: HealthWorld, turn: Turn, **values: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in values)
    world.connection.execute(f"UPDATE turns SET {sets} WHERE id = :id", {**values, "id": turn.id})


def test_a_turn_whose_process_is_gone_is_lost_and_its_messages_wait_again(
    world: HealthWorld,
) -> None:
    async def run() -> None:
        id, turn = await _begun(world)
        _files(world, turn)

        found = await _Engine(world).reconcile()

        assert (found["lost"], found["adopted"], found["workflows"]) == (1, 0, 1)
        assert world.reader.need(Turn, turn.id).status == "lost"
        agent = world.agent(id)
        assert agent.status == "ready"
        assert world.reader.rows(statements.QUEUED_MESSAGES, agent_id=agent.id)

    asyncio.run(run())


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (3, "lost")])
def test_a_turn_that_ended_meanwhile_is_finished_from_its_files(
    world: HealthWorld, code: int, status: str
) -> None:
    async def run() -> None:
        _, turn = await _begun(world)
        files = _files(world, turn)
        files.stdout.write_text("one line\n")
        files.status.write_text(f"exit {code}\n")

        found = await _Engine(world).reconcile()

        assert found["finished"] == 1
        after = world.reader.need(Turn, turn.id)
        assert (after.status, after.exit_code) == (status, code)
        assert world.told("coordinator.output")

    asyncio.run(run())


def test_a_turn_whose_start_was_not_committed_and_left_a_status_has_run(
    world: HealthWorld,
) -> None:
    async def run() -> None:
        _, turn = await _begun(world)
        _row(world, turn, status="starting", pid=None, start_ticks=None, boot_id=None)
        _files(world, turn).status.write_text("exit 0\n")

        await _Engine(world).reconcile()

        assert "turn.started" in world.told("turn.*"), world.told("*")
        assert world.reader.need(Turn, turn.id).status == "succeeded"

    asyncio.run(run())


def test_a_live_process_is_adopted_also_where_its_start_was_not_committed(
    world: HealthWorld, started: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "family", REAL[0])
    monkeypatch.setattr(processes, "signal_family", REAL[1])

    async def run() -> None:
        id, turn = await _begun(world)
        _row(world, turn, status="starting", pid=None, start_ticks=None, boot_id=None)
        started.append(_spawn(world, turn, f"{id}/{turn.id}"))
        engine = _Engine(world)

        found = await engine.reconcile()

        assert (found["adopted"], found["lost"]) == (1, 0)
        after = world.reader.need(Turn, turn.id)
        assert (after.status, after.pid) == ("running", started[0].pid)
        (live,) = engine.turns.of(id)
        _kill(started[0])
        async with asyncio.timeout(30):
            await live.done.wait()
        assert world.reader.need(Turn, turn.id).status == "lost"

    asyncio.run(run())


def test_a_process_that_knows_the_token_of_a_lost_port_is_ended(
    world: HealthWorld, started: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "family", REAL[0])
    monkeypatch.setattr(processes, "signal_family", REAL[1])

    async def run() -> None:
        id, turn = await _begun(world)
        started.append(_spawn(world, turn, f"{id}/{turn.id}"))
        one = started[0]
        _row(world, turn, pid=one.pid, start_ticks=one.start_ticks, boot_id=one.boot_id)

        found = await _Engine(world, kept=False).reconcile()

        assert found["adopted"] == 1
        assert world.reader.need(Turn, turn.id).status == "lost"
        assert not is_alive(one)

    asyncio.run(run())


def test_a_process_of_a_workflow_that_does_not_run_is_ended(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "family", REAL[0])
    monkeypatch.setattr(processes, "signal_family", REAL[1])

    async def run() -> None:
        id, turn = await _begun(world)
        await world.pause(id)
        left = _stray(id, turn)

        found = await _Engine(world).reconcile()

        assert found["orphans"] == 1
        assert left.wait(30) == -signal.SIGTERM

    asyncio.run(run())


def test_a_turn_that_raises_fails_its_workflow_and_no_other(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        (_, first), (_, second) = await _begun(world), await _begun(world)
        for turn in (first, second):
            _files(world, turn).status.write_text("exit 0\n")
        left = launcher.left_status

        def raising(status: Path) -> int | None:
            if status == _files(world, first).status:
                raise RuntimeError("nobody expected this")
            return left(status)

        monkeypatch.setattr(launcher, "left_status", raising)

        found = await _Engine(world).reconcile()

        assert (found["failed"], found["finished"]) == (1, 1)
        assert world.reader.need(Turn, first.id).status == "failed"
        assert world.reader.need(Turn, second.id).status == "succeeded"

    asyncio.run(run())


def test_a_workflow_that_cannot_be_served_again_is_paused(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        (one, _), (other, _) = await _begun(world), await _begun(world)
        engine = _Engine(world)
        reopen = engine.services.supervisor.reopen

        async def raising(workflow: Workflow) -> bool:
            if workflow.id == one:
                raise RuntimeError("nobody expected this")
            return await reopen(workflow)

        monkeypatch.setattr(
            engine.services,
            "supervisor",
            SimpleNamespace(
                reopen=raising,
                pause=engine.services.supervisor.pause,
                settle_ports=engine.services.supervisor.settle_ports,
            ),
        )

        await engine.reconcile()

        assert world.workflows("paused") == [one]
        assert world.workflows("running") == [other]

    asyncio.run(run())
