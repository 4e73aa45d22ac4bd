"""What is wrong with a node is found and told in words, by the engine and by doctor."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perles.config.cluster import Cluster
from perles.doctor.finding import PROBLEM
from perles.doctor.machine.cluster import judge
from perles.engine.fleet.membership import Membership
from perles.executor.remote.folders_part import PART as FOLDERS
from perles.executor.remote.folders_part import FoldersPart
from perles.executor.remote.part import Ask, PartHandler, encode
from perles.executor.remote.relay_part import PART as RELAY
from perles.executor.remote.relay_part import RelayPart
from perles.mcp.relay import Relay
from perles.store.reads.nodes import nodes as shown_nodes
from perles.workspace.replica.far import FarFolders
from tests import ports
from tests.integration.scheduler_world import World, without_processes
from tests.integration.test_fleet import FakeReach


class Elsewhere:
    """A part of a node that has another file system: it sees no file of ours."""

    def __init__(self, part: PartHandler) -> None:
        self._part = part

    async def handle(self, op: str, body: bytes) -> bytes:
        return encode(("", "", "")) if op == "probe" else await self._part.handle(op, body)


class Parts:
    """Stands for the executor: it asks the parts of this test."""

    def __init__(self, parts: dict[str, PartHandler]) -> None:
        self.parts = parts

    def asker(self, _node: str) -> Ask:
        async def ask(part: str, op: str, body: bytes, _wait: float) -> bytes:
            return await self.parts[part].handle(op, body)

        return ask


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An engine's memory with a cluster of one node, whose folders are its own."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = World(tmp_path, ports.SCHEDULER)
    _configure(made, scheduler="tcp://a:1")
    relay, folders = RelayPart(Relay(tmp_path)), FoldersPart(FarFolders(tmp_path / "node"))
    made.context.executor = Parts({RELAY: relay, FOLDERS: folders})  # type: ignore[assignment]
    yield made
    made.close()


def _configure(world: World, **cluster: Any) -> None:
    world.context.config = replace(world.context.config, cluster=Cluster(**cluster))


async def _problems(world: World, reach: FakeReach) -> list[str]:
    """What is told of the node after it was examined; doctor tells it too, with an advice."""
    membership = Membership(world.context, reach, clock=lambda: 0.0)
    await membership.sweep()
    await membership.examined()
    await membership.sweep()
    found = shown_nodes(world.connection)
    told: list[str] = found[0]["problems"]
    (finding,) = judge(found)
    assert all(problem in finding.text for problem in told)
    assert bool(told) == (finding.level == PROBLEM and bool(finding.advice))
    return told


async def test_a_node_that_is_well_has_no_problem(world: World) -> None:
    world.request(1)
    assert await _problems(world, FakeReach("box1")) == []


async def test_another_version_a_wrong_clock_and_a_full_disk_are_found(world: World) -> None:
    reach = FakeReach("box1")
    reach.python, reach.perles, reach.ahead, reach.disk = "3.9.2", "0.0.9", -7200.0, 1000
    told = await _problems(world, reach)

    for words in ("its Perles is 0.0.9", "its Python is 3.9.2", "its clock is", "its disk is full"):
        assert [one for one in told if one.startswith(words)], (words, told)
    assert len(told) == 4
    assert "2h00m behind" in str(told) or "1h59m behind" in str(told)


async def test_a_node_without_git_is_found_where_work_goes_by_git(world: World) -> None:
    reach = FakeReach("box1")
    reach.has_git = False
    assert await _problems(world, reach) == []
    _configure(world, scheduler="tcp://a:1", workspace="git")
    assert await _problems(world, reach) == ["git is not installed there, and workspace is git"]


async def test_a_folder_that_is_not_shared_is_found(world: World) -> None:
    world.request(1)
    executor: Any = world.context.executor
    executor.parts[FOLDERS] = Elsewhere(executor.parts[FOLDERS])

    (told,) = await _problems(world, FakeReach("box1"))
    assert told.startswith("workspace is shared, and ")
    assert "is not the same folder on this machine and on the node" in told

    _configure(world, scheduler="tcp://a:1", workspace="git")
    assert await _problems(world, FakeReach("box1")) == []


async def test_a_relay_that_cannot_be_reached_is_found(world: World, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = int(closed.getsockname()[1])
    relay = Relay(tmp_path)
    relay._numbers["wf-00000001"] = port  # as if its keeper had died with the port
    executor: Any = world.context.executor
    executor.parts[RELAY] = RelayPart(relay)

    (told,) = await _problems(world, FakeReach("box1"))
    assert told.startswith("its relay of tool calls cannot be reached: ")
    assert "refused" in told.lower()


@pytest.mark.parametrize(
    ("claims", "most", "counts"), [(100_000, 0, 128), (9, 4, 4), (-3, 0, 0), (3, 4, 3)]
)
async def test_a_node_that_lies_about_its_slots_counts_with_what_it_can_have(
    world: World, claims: int, most: int, counts: int
) -> None:
    _configure(world, scheduler="tcp://a:1", max_workers=most)
    reach = FakeReach("box1")
    reach.slots = claims

    told = await _problems(world, reach)

    assert shown_nodes(world.connection)[0]["slots"] == counts
    lies = f"it says that it has {claims} slots: it counts as {counts}"
    assert told == ([lies] if claims != counts else [])


async def test_what_a_node_says_of_itself_is_bounded(world: World) -> None:
    reach = FakeReach("box1")
    reach.perles, reach.labels = (
        "9" * 10_000,
        ["gpu", "a b", "\x1b[2J", *(f"l{n}" for n in range(999))],
    )

    (told,) = await _problems(world, reach)

    (node,) = shown_nodes(world.connection)
    assert len(told) < 200
    assert len(node["perles"]) == 50
    assert "gpu" in node["labels"]
    assert "a b" not in node["labels"]
    assert len(node["labels"]) == 50
