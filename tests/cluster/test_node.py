"""Turns on a node whose network, process or engine fails: nothing is lost, nothing is twice."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from perles.agents.provider import Launch
from perles.executor.contract import SpawnError, TurnFiles, TurnKey
from perles.executor.local.processes import family
from perles.executor.remote import messages as m
from perles.executor.remote.channel import SOCKET, SocketChannel
from perles.executor.remote.errors import FencedError, NodeError, StaleEpochError
from perles.executor.remote.executor import RemoteExecutor
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.executor.remote.process import RemoteProcess
from perles.executor.remote.protocol import Call, checked
from perles.node.guard import pids_in
from tests.cluster import cuts
from tests.cluster.proxy import Proxy
from tests.integration.cli import DEADLINE
from tests.integration.nodes import hello, start_node, stop_nodes

WORKFLOW = f"wf-{os.getpid():08x}"
TTL = 2.0
PATIENCE = DEADLINE
COUNT = "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.05; done"


class Machine:
    """A node behind a network that can be cut, and the engine's way to it."""

    def __init__(
        self, folder: Path, proxy: Proxy, *, repeats: bool, epoch: int = 1, ttl: float = TTL
    ) -> None:
        self.folder, self.proxy = folder, proxy
        channel = SocketChannel({"box": folder / "node"}, {"box": proxy.port})
        self.links = Links(channel, Law(epoch=epoch, ttl=ttl, repeats=repeats))
        self.executor = RemoteExecutor(self.links, "box")

    def process(self, number: int) -> RemoteProcess:
        """A turn, as its row tells of it."""
        agent = self.folder / "session" / f"agent-{number}"
        agent.mkdir(parents=True, exist_ok=True)
        files = TurnFiles.at(agent / "turn-001.stdout.jsonl")
        return self.executor.process(TurnKey(WORKFLOW, number), files, None, text_only=True)

    async def start(self, number: int, script: str) -> RemoteProcess:
        """A turn that runs a script of the shell."""
        made = self.process(number)
        env = {"PERLES_WORKFLOW": WORKFLOW, "PERLES_TURN": f"{WORKFLOW}/{number}"}
        env["PATH"] = os.environ["PATH"]
        await made.start(Launch(argv=["/bin/sh", "-c", script]), cwd=self.folder, env=env)
        return made

    def leader_pid(self) -> int:
        """The pid of the node."""
        return pids_in(self.folder / "node" / "node.lock")[0]


def live(number: int) -> list[int]:
    """Every process of a turn on this machine."""
    return family([f"PERLES_TURN={WORKFLOW}/{number}"])


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is seen from outside only
            await asyncio.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a node in it, which is ended with all that it started."""
    start_node(tmp_path / "node")
    yield tmp_path
    stop_nodes(tmp_path)
    for number in range(1, 4):
        for pid in live(number):
            os.kill(pid, signal.SIGKILL)


def on(
    folder: Path,
    test: Callable[[Machine], Coroutine[Any, Any, None]],
    *,
    repeats: bool = True,
    ttl: float = TTL,
) -> None:
    """Run a test with a machine whose network is good until it is cut."""

    async def run() -> None:
        proxy = Proxy(folder / "node" / SOCKET, 0)
        proxy.is_bad = False
        await proxy.start()
        machine = Machine(folder, proxy, repeats=repeats, ttl=ttl)
        try:
            await test(machine)
        finally:
            await asyncio.to_thread(machine.executor.close)
            proxy.is_cut = True
            await proxy.stop()

    asyncio.run(run())


def test_nothing_is_lost_or_doubled_on_a_bad_network(tmp_path: Path) -> None:
    try:
        told = asyncio.run(cuts.run(15, 7, tmp_path))
    finally:
        stop_nodes(tmp_path)

    assert told.doubled == 0
    assert told.cuts >= 15


def test_a_node_that_is_not_heard_of_ends_its_agents_before_their_turns_are_lost(
    folder: Path,
) -> None:
    async def test(machine: Machine) -> None:
        process = await machine.start(1, f"setsid sleep 600 & {COUNT}")
        await until(process.size)
        machine.proxy.is_cut = True
        left, over = [[-1]], asyncio.Event()

        def ended() -> None:
            left[0] = live(1)
            over.set()

        process.when_ended(ended)

        async with asyncio.timeout(PATIENCE):
            await over.wait()

        assert left == [[]], "it was called lost while something of it lived"
        assert process.mirror.is_lost
        assert process.status() is None
        assert not await machine.executor.remains([process])
        # It is back: what it kept of the turn goes, and it takes the next one.
        process.close()
        machine.proxy.is_cut = False
        await until(lambda: (found := hello(folder / "node")) and found.turns == 0)
        after = await machine.start(2, "echo after")
        await until(after.size)

    on(folder, test)


def test_a_node_that_is_stopped_has_no_agents_beyond_its_lease(folder: Path) -> None:
    """Its guard ends them: the node itself cannot."""

    async def test(machine: Machine) -> None:
        process = await machine.start(1, COUNT)
        await until(process.size)
        os.kill(machine.leader_pid(), signal.SIGSTOP)
        left, over = [[-1]], asyncio.Event()

        def ended() -> None:
            left[0] = live(1)
            over.set()

        process.when_ended(ended)
        try:
            async with asyncio.timeout(PATIENCE):
                await over.wait()
        finally:
            os.kill(machine.leader_pid(), signal.SIGCONT)

        assert left == [[]]
        assert process.mirror.is_lost

    on(folder, test)


def test_a_turn_waits_for_its_node_where_that_is_said(folder: Path) -> None:
    async def test(machine: Machine) -> None:
        stays = await machine.start(1, COUNT)
        ended = await machine.start(2, "echo last words; exit 3")
        await until(stays.size)
        await until(lambda: ended.mirror.is_over)
        machine.proxy.is_cut = True
        await until(lambda: not live(1))
        await until(lambda: stays.link.is_fenced)
        await asyncio.sleep(2 * TTL / 10)
        assert stays.lives()

        machine.proxy.is_cut = False
        await until(lambda: stays.mirror.is_over)
        assert not stays.mirror.is_lost
        assert stays.mirror.state is not None
        assert stays.mirror.state.fenced

    on(folder, test, repeats=False)


def test_a_person_ends_a_turn_whose_node_is_gone(folder: Path) -> None:
    async def test(machine: Machine) -> None:
        process = await machine.start(1, COUNT)
        await until(process.size)
        machine.proxy.is_cut = True
        await until(lambda: process.link.is_fenced)
        assert process.lives()

        machine.executor.signal([process], signal.SIGKILL)

        await until(lambda: process.mirror.is_lost)

    on(folder, test, repeats=False)


@pytest.mark.parametrize("repeats", [True, False])
def test_a_node_that_was_ended_leaves_nothing_to_wait_for(folder: Path, repeats: bool) -> None:
    async def test(machine: Machine) -> None:
        process = await machine.start(1, COUNT)
        await until(process.size)
        os.kill(machine.leader_pid(), signal.SIGTERM)
        await until(lambda: process.mirror.is_over)
        assert process.mirror.is_lost
        assert process.ended_with_node()
        assert not live(1)
        await until(lambda: hello(folder / "node") is None)
        with pytest.raises(SpawnError):
            await machine.start(2, "echo never")

        start_node(folder / "node")
        await until(lambda: not process.link.has_left)
        again = await machine.start(3, "echo again")
        await until(again.size)
        await until(lambda: pids_in(folder / "node" / "guard.lock"))  # to be ended with the node

    on(folder, test, repeats=repeats, ttl=3600)


def test_a_node_that_was_killed_finds_its_turns_again(folder: Path) -> None:
    async def test(machine: Machine) -> None:
        os.mkfifo(folder / "go")
        process = await machine.start(1, "echo before; read -r _ < go; echo after; exit 5")
        await until(process.size)
        os.kill(machine.leader_pid(), signal.SIGKILL)
        await asyncio.to_thread(start_node, folder / "node")
        await asyncio.to_thread((folder / "go").write_text, "\n")

        await until(lambda: process.mirror.is_over)

        assert process.mirror.files.stdout.read_text() == "before\nafter\n"
        assert process.status() == 5

    on(folder, test)


def test_the_next_engine_goes_on_where_one_was_killed(folder: Path) -> None:
    async def test(machine: Machine) -> None:
        os.mkfifo(folder / "go")
        first = await machine.start(1, "echo before; read -r _ < go; echo after")
        await until(first.size)
        await asyncio.to_thread(machine.executor.close)
        second = Machine(folder, machine.proxy, repeats=True, epoch=2)
        process = second.process(1)

        assert await process.attach()
        assert process.identity == first.identity
        await asyncio.to_thread((folder / "go").write_text, "\n")
        await until(lambda: process.mirror.is_over)

        assert process.mirror.files.stdout.read_text() == "before\nafter\n"
        assert process.status() == 0
        await asyncio.to_thread(second.executor.close)

    on(folder, test)


def test_what_comes_late_or_of_an_engine_before_is_refused(folder: Path) -> None:
    channel = SocketChannel({"box": folder / "node"})
    found = hello(folder / "node")
    assert found is not None
    start = m.Start(
        turn=m.TurnRef(WORKFLOW, 1), folder=f"{WORKFLOW}/agent", output="turn-001.stdout.jsonl",
        argv=["/bin/sh", "-c", "echo x"], env={"PERLES_TURN": f"{WORKFLOW}/1"}, stdin=b"",
        files={}, cwd="/",
    )  # fmt: skip

    def ask(request: m.Request, epoch: int, until: float = 0.0) -> m.Answer:
        call = Call(epoch=epoch, until=until, boot_id=found.boot_id, request=request)
        answer: Awaitable[m.Answer] = channel.call("box", call)

        async def asked() -> m.Answer:
            return checked(await answer)

        return asyncio.run(asked())

    with pytest.raises(FencedError, match="lease"):
        ask(start, 5, found.clock - 1)
    lease = found.clock + 60
    ask(m.Renew(), 6, lease)
    with pytest.raises(StaleEpochError, match="engine 6 leads"):
        ask(start, 5, lease)
    first = ask(start, 6, lease)
    assert ask(start, 6, lease) == first
    deadline = monotonic() + PATIENCE
    while (told := hello(folder / "node")) is None or told.turns:
        assert monotonic() < deadline
        ask(m.Forget(turns=[start.turn]), 6)  # it is heard once the process has ended
    with pytest.raises(NodeError, match="was here before"):
        ask(start, 6, lease)
    with pytest.raises(NodeError, match="cannot use"):
        ask(m.Start(**{**_fields(start), "turn": m.TurnRef(WORKFLOW, 2), "folder": "../out"}), 6)


def _fields(start: m.Start) -> dict[str, Any]:
    return {name: getattr(start, name) for name in start.__struct_fields__}


def test_who_has_no_token_is_not_served(folder: Path) -> None:
    node = folder / "node"
    for name in ("node.sock", "node.token", "lease"):
        path = node / name
        assert not path.exists() or path.stat().st_mode & 0o077 == 0, name
    (node / "kept").write_bytes((node / "node.token").read_bytes())
    (node / "node.token").write_bytes(b"guessed")

    with pytest.raises(AssertionError):
        assert hello(node)
