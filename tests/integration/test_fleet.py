"""An engine with nodes: which there are, and on which of them an agent's turn runs."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from perles.agents.provider import Outcome
from perles.cluster.channel import NOT_YET, Found
from perles.cluster.connection import Worker
from perles.config.cluster import Cluster
from perles.dashboard.frames.detail import agent_line
from perles.dashboard.reading.detail import agents_of
from perles.domain.errors import ClusterError
from perles.domain.placement import Place, Rooms
from perles.engine.fleet import cluster_status, nodes, placement
from perles.engine.fleet.membership import Membership
from perles.engine.fleet.nodes import Heard
from perles.engine.fleet.placement import Placement, _room
from perles.engine.remote_turns import Elsewhere
from perles.engine.turns import start_pauses
from perles.executor.contract import SpawnError
from perles.executor.remote.errors import UnreachableError
from perles.executor.remote.messages import Answer, Greeting
from perles.executor.remote.protocol import Call
from perles.mcp.host import Caller
from perles.store import statements
from perles.store.reads.agents import list_agents
from perles.store.reads.current_work import waits_for
from perles.store.reads.nodes import cluster as shown_cluster
from perles.store.reads.nodes import nodes as shown_nodes
from perles.store.reads.workflow import show_workflow
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.nodes import Node
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.version import __version__
from tests import ports
from tests.integration.scheduler_world import World, without_processes


class StillWork:
    """Stands for the work of turns on nodes: it is there at once."""

    async def prepare(self, _turn: Turn, agent: Agent, workflow: Workflow) -> Elsewhere:
        assert agent.node is not None
        folder = Path(workflow.work_dir)
        return Elsewhere(agent.node, folder, folder, "http://127.0.0.1:1/mcp")

    async def bring(self, _turn_id: int) -> Outcome | None:
        return None

    async def before_call(self, _caller: Caller, _kind: str) -> None:
        """There is nothing to bring."""

    async def folder_of(self, _task: Task) -> tuple[str, Path] | None:
        return None

    async def here(self, _caller: Caller, path: str) -> str:
        return path


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An engine's memory over an empty database, with a cluster and no processes."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = World(tmp_path, ports.SCHEDULER)
    made.context.config = replace(made.context.config, cluster=Cluster(scheduler="tcp://a:1"))
    made.limit(max_ai_calls=20, max_workers=20, max_workflows_running=10)
    made.context.placing = Placement(made.context)
    made.context.remote = StillWork()
    yield made
    made.close()


def _node(world: World, name: str, slots: int = 2, **more: Any) -> None:
    told = Heard(slots=slots, memory=2**33, memory_free=2**33, **more)
    world.write(lambda tx: nodes.heard(tx, name, told))


async def _deliver(world: World) -> None:
    """Begin what can begin; on nodes a process is started beside the rest."""
    await world.turns.deliver()
    background = world.turns._background
    while background:
        await asyncio.gather(*background._tasks)


async def _started(world: World, count: int, on: str | None = None) -> list[str]:
    """Workflows whose coordinators have been told to begin."""
    ids = [world.request(1) for _ in range(count)]
    for id in ids:
        world.write(lambda tx, id=id: tx.update(Workflow, id, placement=on))  # type: ignore[misc]
        await world.context.supervisor.start(id)
    await _deliver(world)
    return ids


def _where(world: World, ids: list[str]) -> list[str | None]:
    agents = [world.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=id) for id in ids]
    return [None if agent is None else agent.node for agent in agents]


def _live(world: World) -> int:
    return len(world.turns.lives)


async def test_turns_spread_over_the_nodes_and_the_rest_waits_in_words(world: World) -> None:
    _node(world, "box1")
    _node(world, "box2", slots=1)

    ids = await _started(world, 4)

    assert sorted(filter(None, _where(world, ids))) == ["box1", "box1", "box2"]
    assert _live(world) == 3
    (waits,) = [one for one in _said(world, ids) if "waits for a node" in one]
    assert "all 3 slots of nodes are used" in waits

    _node(world, "box2", slots=2)
    await _deliver(world)
    assert None not in _where(world, ids)
    assert not [one for one in _said(world, ids) if "waits for a node" in one]


def _said(world: World, ids: list[str]) -> list[str]:
    return [text for texts in waits_for(world.connection, ids).values() for text in texts]


async def test_a_node_that_had_no_room_for_a_turn_gets_none_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own look at its disk may see enough room, and it would be tried again for ever."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    _node(world, "box1")
    _node(world, "box2")
    tried: list[str] = []

    async def prepare(_turn: Turn, agent: Agent, workflow: Workflow) -> Elsewhere:
        assert agent.node is not None
        tried.append(agent.node)
        if agent.node == "box1":
            full = OSError(errno.EDQUOT, "the quota is used up")
            raise SpawnError("cannot start on node box1") from full
        return Elsewhere(agent.node, Path(workflow.work_dir), Path("/"), "http://127.0.0.1:1/mcp")

    monkeypatch.setattr(world.context.remote, "prepare", prepare)
    ids = await _started(world, 1)
    assert tried == ["box1"]

    now[0] += start_pauses.PAUSE_SECONDS
    await _deliver(world)
    assert tried == ["box1", "box2"]
    assert _where(world, ids) == ["box2"]

    assert set(_where(world, await _started(world, 1))) == {"box2"}
    waits = await _started(world, 1)
    assert "waits for a node: all 2 slots" in str(_said(world, waits))

    now[0] += placement.AVOIDED
    await _deliver(world)
    assert tried[-1] == "box1"


async def test_without_a_node_nothing_runs_and_it_is_said(world: World) -> None:
    ids = await _started(world, 1)
    assert _live(world) == 0
    assert "no node has joined the cluster" in _said(world, ids)[0]


async def test_after_the_last_node_has_gone_it_is_said_which(world: World) -> None:
    _node(world, "box1")
    world.write(lambda tx: nodes.lost(tx, "ghost", "its Dask worker has no Perles"))
    for name in ("box1", "ghost"):
        world.write(lambda tx, name=name: nodes.gone(tx, name, "ended"))  # type: ignore[misc]
    ids = await _started(world, 1)
    said = _said(world, ids)[0]
    assert "no node is left in the cluster: box1 is gone" in said


async def test_a_label_that_no_node_has_is_told_to_the_person_once(world: World) -> None:
    _node(world, "box1")
    ids = await _started(world, 1, on='["gpu"]')
    await _deliver(world)

    assert _live(world) == 0
    notes = world.connection.execute(
        "SELECT payload FROM events WHERE type = 'user.notification'"
    ).fetchall()
    assert len(notes) == 1
    assert "no node with label gpu" in notes[0][0]

    _node(world, "box2", labels=("gpu",))
    await _deliver(world)
    assert _where(world, ids) == ["box2"]


async def test_a_drained_node_gets_no_turn_and_tells_when_it_is_empty(world: World) -> None:
    _node(world, "box1", slots=9)
    ids = await _started(world, 1)
    _node(world, "box2", slots=1)
    world.write(lambda tx: nodes.drain(tx, "box1"))

    assert _where(world, [*ids, *await _started(world, 1)]) == ["box1", "box2"]
    assert "node.drained" not in _types(world)
    live = next(one for one in world.turns.lives.values() if one.workflow_id == ids[0])
    await world.finish(live, "succeed")
    world.write(lambda tx: nodes.tell_drained(tx, "box1"))
    assert _types(world).count("node.drained") == 1


def _types(world: World) -> list[str]:
    return [row[0] for row in world.connection.execute("SELECT type FROM events ORDER BY seq")]


async def test_an_agent_with_a_session_stays_and_moves_only_from_a_node_that_goes(
    world: World,
) -> None:
    _node(world, "box1")
    ids = await _started(world, 1)
    agent = world.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=ids[0])
    assert agent is not None
    world.write(lambda tx: tx.update(Agent, agent.id, provider_session_id="s-1"))
    await world.finish(next(iter(world.turns.lives.values())), "succeed")
    _node(world, "box2", slots=8)

    world.tell(agent)
    await _deliver(world)
    assert _where(world, ids) == ["box1"]
    await world.finish(next(iter(world.turns.lives.values())), "succeed")

    world.write(lambda tx: nodes.lost(tx, "box1", "no answer"))
    world.tell(agent)
    await _deliver(world)
    assert _live(world) == 0
    assert "its node box1 is out of reach" in _said(world, ids)[0]

    world.write(lambda tx: nodes.gone(tx, "box1", "silent"))
    await _deliver(world)
    assert _where(world, ids) == ["box2"]
    assert "agent.moved" in _types(world)
    moved = world.reader.need(Agent, agent.id)
    assert moved.provider_session_id is None


async def test_a_turn_whose_node_is_not_heard_says_so_at_every_door(world: World) -> None:
    world.write(lambda tx: cluster_status.began(tx, world.context.config.cluster))
    _node(world, "box1")
    ids = await _started(world, 1)
    connection = world.connection
    assert not [text for text in _said(world, ids) if "unreachable" in text]
    (before,) = show_workflow(connection, ids[0])["agents"]
    assert (before["node"], before["unreachable"]) == ("box1", None)

    world.write(lambda tx: nodes.lost(tx, "box1", "the cable is out"))

    (said,) = _said(world, ids)
    assert said.startswith(
        "coordinator: its node box1 is unreachable (after 33s the turn counts as lost), "
    )
    (agent,) = show_workflow(connection, ids[0])["agents"]
    assert [one["unreachable"] for one in list_agents(connection, None)] == [agent["unreachable"]]
    since, lost_at = (datetime.fromisoformat(agent["unreachable"][k]) for k in ("since", "lost_at"))
    assert (lost_at - since).total_seconds() == 33.0
    (read,) = agents_of(connection, ids[0])
    drawn = "".join(one.text for one in agent_line(read, 0.0, 60))
    assert "box1 unreachable" in drawn

    waits = Cluster(scheduler="tcp://a:1", on_partition="wait")
    world.write(lambda tx: cluster_status.began(tx, waits))
    assert "is unreachable (the turn waits for it)" in _said(world, ids)[0]
    assert show_workflow(connection, ids[0])["agents"][0]["unreachable"]["lost_at"] is None

    world.write(lambda tx: nodes.heard(tx, "box1", Heard(slots=2)))
    assert not [text for text in _said(world, ids) if "unreachable" in text]
    assert "@box1" in "".join(
        one.text for one in agent_line(agents_of(connection, ids[0])[0], 0, 60)
    )


class FakeReach:
    """Nodes of this test's memory; `silent` ones do not answer."""

    def __init__(self, *names: str) -> None:
        self.names, self.silent = list(names), set[str]()
        self.problem = ""
        self.perles, self.ahead, self.disk, self.free = __version__, 0.0, 2**40, 2**33
        self.python = ".".join(map(str, sys.version_info[:3]))
        self.slots, self.labels, self.has_git = 3, ["gpu"], True
        self.epoch = 1

    async def look(self) -> list[Found]:
        if self.problem:
            raise ClusterError(self.problem)
        told = {"host": "h", "folder": "/n"}
        return [Found(name, (Worker("tcp://x", "h"),), told) for name in self.names]

    async def call(self, node: str, call: Call) -> Answer:
        if node in self.silent:
            raise UnreachableError(node, "the cable is out")
        about = {"name": node, "version": 1, "perles": self.perles, "python": self.python}
        about |= {
            "boot_id": "b",
            "clock": 1.0,
            "wall": time.time() + self.ahead,
            "slots": self.slots,
        }
        about |= {"labels": self.labels, "memory": self.free, "disk": self.disk, "root": "/r"}
        about |= {"lease": 1.0, "has_git": self.has_git, "turns": 0, "pid": 1, "epoch": self.epoch}
        about |= {"cpus": 2, "memory_total": 2**33}
        return Greeting(**about)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_node_that_serves_the_engine_of_another_home_gets_no_turns(world: World) -> None:
    world.context.database.lead(4)
    reach, now = FakeReach("box1"), [0.0]
    membership = Membership(world.context, reach, clock=lambda: now[0])
    reach.epoch = 4
    await membership.sweep()
    assert _states(world) == {"box1": "ready"}

    reach.epoch = 9
    await membership.sweep()

    assert _states(world) == {"box1": "unreachable"}
    assert "it serves engine 9, of another home" in world.reader.need(Node, "box1").problems


async def test_rows_of_nodes_follow_what_answers(world: World) -> None:
    reach, now = FakeReach("box1", "box2"), [0.0]
    membership = Membership(world.context, reach, clock=lambda: now[0])
    await membership.sweep()
    assert _states(world) == {"box1": "ready", "box2": "ready"}
    assert world.reader.need(Node, "box1").slots == 3

    reach.silent.add("box2")
    now[0] = 10.0
    await membership.sweep()
    assert _states(world) == {"box1": "ready", "box2": "unreachable"}
    assert "the cable is out" in world.reader.need(Node, "box2").problems

    now[0] = 32.0
    await membership.sweep()
    assert _states(world)["box2"] == "unreachable"
    now[0] = 34.0
    await membership.sweep()
    assert _states(world) == {"box1": "ready", "box2": "gone"}

    reach.silent.clear()
    await membership.sweep()
    assert _states(world) == {"box1": "ready", "box2": "ready"}
    told = [type for type in _types(world) if type.startswith("node.")]
    assert told == ["node.joined", "node.joined", "node.lost", "node.gone", "node.joined"]


async def test_a_node_whose_memory_is_in_use_is_waited_for_and_not_given_up(world: World) -> None:
    reach = FakeReach("box1")
    reach.free = 2**30
    await Membership(world.context, reach, clock=lambda: 0.0).sweep()
    (shown,) = shown_nodes(world.connection)
    assert (shown["cpus"], shown["memory"], shown["memory_free"]) == (2, 2**33, 2**30)

    rooms = Rooms([_room(world.reader.need(Node, "box1"))])
    large = Place(memory=2**32)
    assert rooms.choose(large) is None
    assert "memory free now" in rooms.why_none(large)
    assert not rooms.is_hopeless(large)


async def test_a_scheduler_that_is_gone_makes_nodes_unreachable_with_its_words(
    world: World,
) -> None:
    reach = FakeReach("box1")
    membership = Membership(world.context, reach, clock=lambda: 0.0)
    await membership.sweep()
    reach.problem = "cannot reach tcp://a:1: connection refused"
    await membership.sweep()

    row = world.reader.need(Node, "box1")
    assert row.state == "unreachable"
    assert "connection refused" in row.problems


async def test_how_the_engine_stands_with_its_cluster_is_told_once_a_change(world: World) -> None:
    reach = FakeReach("box1")
    reach.problem = NOT_YET
    world.write(lambda tx: cluster_status.began(tx, world.context.config.cluster))
    membership = Membership(world.context, reach, clock=lambda: 0.0)
    await membership.sweep()
    link = shown_cluster(world.connection)
    assert link is not None
    assert (link["state"], link["place"], link["problem"]) == ("connecting", "tcp://a:1", None)
    assert link["lost_after"] == 33.0

    for problem in ("cannot reach tcp://a:1: refused", "cannot reach tcp://a:1: no route", "", ""):
        reach.problem = problem
        await membership.sweep()
        link = shown_cluster(world.connection)
        assert link is not None
        wanted = ("unreachable", problem) if problem else ("connected", None)
        assert (link["state"], link["problem"]) == wanted

    waits = Cluster(slurm={"jobs": 1}, on_partition="wait")
    world.write(lambda tx: cluster_status.began(tx, waits))
    link = shown_cluster(world.connection)
    assert link is not None
    assert (link["state"], link["place"], link["lost_after"]) == ("connecting", "Slurm", None)
    told = [type for type in _types(world) if type.startswith("cluster.")]
    assert told == ["cluster.lost", "cluster.connected", "cluster.connecting"]


async def test_what_is_wrong_with_a_node_is_told(world: World) -> None:
    reach = FakeReach("box1")
    reach.perles, reach.ahead, reach.disk = "0.0.9", 3600.0, 1024
    await Membership(world.context, reach, clock=lambda: 0.0).sweep()

    problems = world.reader.need(Node, "box1").problems
    assert "its Perles is 0.0.9" in problems
    assert "its clock is 59m59s ahead of this one" in problems or "1h00m ahead" in problems
    assert "its disk is full" in problems


def _states(world: World) -> dict[str, str]:
    return {row.id: row.state for row in world.reader.all(Node, nodes.NODES)}
