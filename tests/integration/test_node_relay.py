"""Tool calls and work dirs over a real node, which is killed, as its engine is."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.executor.fleet import FleetExecutor
from perles.executor.local.executor import LocalExecutor
from perles.executor.remote.channel import SocketChannel
from perles.executor.remote.errors import NodeError
from perles.executor.remote.folders_part import RemoteFolders
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.executor.remote.part import Ask
from perles.executor.remote.relay_part import RemoteRelay
from perles.mcp import relayed
from perles.workspace.replica import sync
from perles.workspace.replica.parcels import Parcels
from perles.workspace.replica.sync import Shared
from tests.integration.cli import DEADLINE
from tests.integration.nodes import start_node, stop_nodes
from tests.integration.test_relay import WORKFLOW, Engine, Host, _number, _post
from tests.integration.test_replicas import content, git


class Machine:
    """A node in a folder of its own, and an engine's ways to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        greeting = start_node(folder)
        assert 0 < greeting.memory < greeting.memory_total
        self.pid = greeting.pid
        self._links: list[Links] = []

    def ask(self, epoch: int = 1) -> Ask:
        """The way of an engine of this epoch."""
        links = Links(SocketChannel({"box": self.folder}), Law(epoch=epoch))
        self._links.append(links)
        return FleetExecutor(LocalExecutor(), links).asker("box")

    def kill(self) -> None:
        """SIGKILL the node, and start it again as somebody would."""
        os.kill(self.pid, signal.SIGKILL)
        self.pid = start_node(self.folder).pid

    def close(self) -> None:
        for links in self._links:
            links.close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(relayed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(relayed, "LOOK_SECONDS", 1.0)
    made = Machine(tmp_path / "node")
    yield made
    made.close()
    stop_nodes(tmp_path)


async def test_a_call_outlives_its_node_and_its_engine_and_is_carried_out_once(
    machine: Machine,
) -> None:
    host = Host()
    port = await RemoteRelay(machine.ask()).open(WORKFLOW)
    calls = [asyncio.ensure_future(_post(port)) for _ in range(3)]
    first = Host()  # an engine that dies before it has answered anything
    dying = Engine(first, RemoteRelay(_never_answers(machine.ask())), failures=(NodeError,))
    async with asyncio.timeout(DEADLINE):
        await first.has_three.wait()
    await dying.die()
    host.answers, host.carried_out = first.answers, first.carried_out  # the database stays
    await asyncio.to_thread(machine.kill)
    assert not any(call.done() for call in calls)

    engine = Engine(host, RemoteRelay(machine.ask(epoch=2)), failures=(NodeError,))
    async with asyncio.timeout(DEADLINE):
        answers = await asyncio.gather(*calls)

    assert sorted(_number(answer) for _, answer in answers) == [1, 2, 3]
    assert host.carried_out == 3
    assert await RemoteRelay(machine.ask(epoch=2)).open(WORKFLOW) == port
    with pytest.raises(NodeError, match="engine 2 leads"):
        await RemoteRelay(machine.ask(epoch=1)).open(WORKFLOW)
    await engine.die()
    await RemoteRelay(machine.ask(epoch=2)).close(WORKFLOW)


def _never_answers(ask: Ask) -> Ask:
    async def cut(part: str, op: str, body: bytes, wait: float) -> bytes:
        if op == "answer":
            raise NodeError("unreachable", "the line was cut")
        return await ask(part, op, body, wait)

    return cut


async def test_a_work_dir_goes_to_a_node_and_comes_back_over_its_death(
    machine: Machine, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    git(here, "init", "-q", "-b", "main")
    (here / "big").write_bytes(os.urandom(3_000_000))
    git(here, "add", ".")
    git(here, "commit", "-qm", "first")
    far, parcels = RemoteFolders(machine.ask()), Parcels(tmp_path / "parcels")
    shared = Shared(here, "wf-abc", "box")

    place = await sync.send(shared, far, parcels)
    there = Path(place.path)
    (there / "left").write_bytes(os.urandom(2_000_000))
    await asyncio.to_thread(machine.kill)
    await sync.bring(shared, RemoteFolders(machine.ask()), parcels, task="a", turn_id=1)

    assert content(here) == content(there)
