"""The engine follows the calls of each node that there is, and clears away what is over."""

import asyncio
from typing import Any

import msgspec
import pytest

from perles.domain.errors import DatabaseError
from perles.engine.fleet import relays
from perles.engine.fleet.relays import Relays
from perles.executor.remote.errors import NodeError, UnreachableError
from perles.mcp.relay import Waiting
from perles.store.schema.nodes import Node
from tests.integration.health_world import HealthWorld
from tests.unit.waiting import until


class _Nodes:
    """Nodes that answer what they are asked by their parts; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.workflows: list[str] = []
        self.raises: dict[tuple[str, str], Exception] = {}
        self.closed: list[tuple[str, ...]] = []
        self.cleared: list[tuple[str, str]] = []

    def ask(self, node: str) -> Any:
        async def ask(part: str, op: str, body: bytes, _wait: float) -> bytes:
            self.asked.append((node, part, op))
            if (error := self.raises.pop((part, op), None)) is not None:
                raise error
            if op == "waiting":
                await asyncio.Event().wait()
            if op == "close":
                self.closed.append(msgspec.msgpack.decode(body, type=tuple[str, ...]))
            found: Any = self.workflows if op == "all" else None
            return msgspec.msgpack.encode(Waiting([], []) if op == "waiting" else found)

        return ask

    async def clear(self, workflow_id: str, node: str) -> None:
        """The work dir is removed."""
        self.cleared.append((workflow_id, node))

    def count(self, op: str, node: str = "n1") -> int:
        """How often a node was asked this."""
        return sum(one[0] == node and one[2] == op for one in self.asked)


def _add(world: HealthWorld, name: str, state: str = "ready") -> None:
    def work(tx: Any) -> None:
        about = {"state": state, "slots": 1, "joined_at": tx.now, "last_heard_at": tx.now}
        tx.insert(Node, id=name, **about)

    world.write(work)


def _relays(world: HealthWorld, nodes: _Nodes) -> Relays:
    return Relays(world.context, nodes.ask, lambda *_: None, lambda *_: None, nodes.clear)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(relays, "CLEAR_SECONDS", 0.01)


def test_calls_are_fetched_from_each_node_as_long_as_it_is_there(world: HealthWorld) -> None:
    async def run() -> None:
        nodes = _Nodes()
        followed = _relays(world, nodes)
        followed.start()
        _add(world, "n1")
        await until(lambda: nodes.count("waiting") == 1)
        _add(world, "n2")
        _add(world, "n3", "gone")
        await until(lambda: nodes.count("waiting", "n2") == 1)

        world.connection.execute("UPDATE nodes SET state = 'gone' WHERE id = 'n1'")
        await until(lambda: "n1" not in followed._pumps)
        await followed.stop()

        assert nodes.count("waiting", "n3") == 0

    asyncio.run(run())


@pytest.mark.parametrize("error", [UnreachableError("n1", "silent"), DatabaseError("restarts")])
def test_a_node_is_cleared_again_after_it_could_not_be(
    world: HealthWorld, error: Exception
) -> None:
    async def run() -> None:
        nodes = _Nodes()
        nodes.raises["relay", "all"] = error
        _add(world, "n1")
        followed = _relays(world, nodes)
        followed.start()
        await until(lambda: nodes.count("all") >= 3)
        await followed.stop()

    asyncio.run(run())


def test_calls_are_fetched_on_after_a_fault_that_nobody_expected(world: HealthWorld) -> None:
    async def run() -> None:
        nodes = _Nodes()
        nodes.raises["relay", "waiting"] = KeyError("a fault")
        nodes.raises["relay", "all"] = KeyError("another")
        _add(world, "n1")
        followed = _relays(world, nodes)
        followed.start()
        await until(lambda: nodes.count("waiting") == 2 and nodes.count("all") >= 3)
        await followed.stop()

    asyncio.run(run())


def test_nodes_that_cannot_be_read_now_are_read_later(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = Relays._look

    def failing(self: Relays) -> None:
        looks.append(len(looks))
        if len(looks) <= 2:
            raise (DatabaseError("restarts"), KeyError("a fault"))[len(looks) - 1]
        look(self)

    monkeypatch.setattr(Relays, "_look", failing)

    async def run() -> None:
        nodes = _Nodes()
        _add(world, "n1")
        followed = _relays(world, nodes)
        followed.start()
        await until(lambda: nodes.count("waiting") == 1)
        await followed.stop()

    asyncio.run(run())


def test_only_what_is_over_is_cleared(world: HealthWorld) -> None:
    async def run() -> None:
        lives, ended = await world.begin(), await world.begin()
        await world.end(ended, "stop")
        nodes = _Nodes()
        nodes.workflows = [lives, ended, "wf-pruned"]

        await _relays(world, nodes).clear("n1")

        assert nodes.closed == [(ended,), ("wf-pruned",)]
        assert nodes.cleared == [(ended, "n1"), ("wf-pruned", "n1")]

    asyncio.run(run())


def test_an_ended_workflow_with_a_turn_under_way_is_not_over(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        world.connection.execute("UPDATE workflows SET state = 'stopped' WHERE id = ?", (id,))
        nodes = _Nodes()
        nodes.workflows = [id]

        await _relays(world, nodes).clear("n1")

        assert (nodes.closed, nodes.cleared) == ([], [])

    asyncio.run(run())


def test_a_node_that_refuses_is_told_to_who_clears(world: HealthWorld) -> None:
    nodes = _Nodes()
    nodes.raises["relay", "all"] = NodeError("failed", "no")

    with pytest.raises(NodeError):
        asyncio.run(_relays(world, nodes).clear("n1"))
