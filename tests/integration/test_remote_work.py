"""The work of turns on a node: sent before a turn, here before anything is made of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import pytest

from perles.agents.provider import Outcome
from perles.config.cluster import Cluster
from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.clock import ManualClock
from perles.domain.errors import PerlesError, ToolError
from perles.domain.states import AGENT, PHASE, TASK, TURN, WORKFLOW
from perles.engine.fleet import nodes, remote_work
from perles.engine.fleet.nodes import Heard
from perles.engine.fleet.remote_work import RemoteWorks
from perles.engine.services import Services
from perles.engine.team.spawn import add_agent
from perles.engine.turns.move_to_node import move
from perles.engine.turns.outcome import LOST, NODE_ENDED
from perles.executor.local.executor import LocalExecutor
from perles.executor.remote.errors import UnreachableError
from perles.executor.remote.folders_part import FoldersPart
from perles.executor.remote.part import PartHandler
from perles.executor.remote.relay_part import RelayPart
from perles.fabric import messages
from perles.keeper.main import NODE_LOCK_NAME
from perles.mcp.host import Caller
from perles.mcp.relay import Relay
from perles.store import migrate, statements
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.reads import EventFilter, read_events
from perles.store.reader import Reader
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.store.writer import Writer
from perles.workspace.replica import probe
from perles.workspace.replica.far import FarFolders
from tests.integration.test_replicas import content, git

ID = "wf-aaaaaaaa"
NODE = "box1"


async def _no_reload() -> Never:
    raise AssertionError("nobody asked for that")


class Stage:
    """A workflow with a coordinator here and a worker on a node, whose turn lives."""

    def __init__(self, root: Path, far: FarFolders, relay: Relay, here: Path) -> None:
        self.here, self.far = here, far
        self.database = Database(root / "perles.db", ManualClock())
        self.context = Services(
            paths=Paths(root),
            config=replace(Config(), cluster=Cluster(ssh=("box1",), workspace="git", node_ttl=0.3)),
            database=self.database,
            writer=Writer(self.database),
            reader=Reader(self.database.connect()),
            environ={},
            executor=LocalExecutor(),
            kick=lambda: None,
            reload=_no_reload,
        )
        self.parts: dict[str, PartHandler] = {
            "folders": FoldersPart(far),
            "relay": RelayPart(relay),
        }
        self.is_cut, self.turns = False, 0
        self.works = RemoteWorks(self.context, lambda _: self._ask)
        self.execution: dict[str, Any] = {}

    async def _ask(self, part: str, op: str, body: bytes, wait: float) -> bytes:
        if self.is_cut:
            raise UnreachableError(NODE, "the cable is out")
        return await self.parts[part].handle(op, body)

    async def begin(self) -> Turn:
        return await self.context.writer.write(self._set)

    def _set(self, tx: Tx) -> Turn:
        told = {"template_id": "t", "name": "n", "state": "pending", "work_dir": str(self.here)}
        session = self.context.paths.root / "session"
        tx.insert(Workflow, id=ID, session_dir=str(session), **told)
        fire(tx, WORKFLOW, ID, "start")
        workflow = tx.need(Workflow, ID)
        add_agent(tx, workflow, "coordinator", "coordinator", session)
        worker = add_agent(tx, workflow, "worker-1", "worker", session)
        row = {"key": "a", "title": "A", "status": "ready", "run": "make"}
        execution = journal.encode(self.execution)
        task = tx.insert(Task, workflow_id=ID, execution=execution, **row)
        changes = {"implementer_id": worker.id, "assignee": "worker-1", "attempt": 1}
        fire(tx, TASK, task, "assign", changes=changes)
        tx.update(Agent, worker.id, task_id=task, node=NODE)
        fire(tx, PHASE, worker.id, "implement")
        return self.turn(tx)

    def turn(self, tx: Tx) -> Turn:
        """The next turn of the worker, which runs."""
        worker = self.agent("worker-1", tx)
        self.turns += 1
        row = {"status": "queued", "prompt": "", "stdout_path": "x", "stderr_path": "y"}
        id = tx.insert(Turn, workflow_id=ID, agent_id=worker.id, number=self.turns, **row)
        fire(tx, TURN, id, "start")
        fire(tx, AGENT, worker.id, "deliver")
        fire(tx, TURN, id, "run")
        return tx.need(Turn, id)

    def agent(self, name: str, reader: Reader | None = None) -> Agent:
        about = {"workflow_id": ID, "name": name}
        found = (reader or self.context.reader).first(Agent, statements.AGENT_NAMED, **about)
        assert found is not None
        return found

    async def prepare(self, turn: Turn) -> Path:
        workflow = self.context.reader.need(Workflow, ID)
        where = await self.works.prepare(turn, self.agent("worker-1"), workflow)
        assert where.mcp_url.startswith("http://127.0.0.1:")
        assert where.folder.name == "worker-1"
        return where.work_dir

    def events(self, kind: str) -> list[dict[str, Any]]:
        with reading(self.database.path) as connection:
            return read_events(connection, wanted=EventFilter(types=(kind,)))

    def letters(self, name: str) -> list[str]:
        found = self.context.reader.all(
            Message, statements.QUEUED_MESSAGES, agent_id=self.agent(name).id
        )
        return [message.body for message in found]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    node, here, root = tmp_path / "node", tmp_path / "here", tmp_path / "home"
    for folder in (node, here, root):
        folder.mkdir(mode=0o700)
    (node / NODE_LOCK_NAME).write_text(f"{os.getpid()}\n")
    git(here, "init", "-q", "-b", "main")
    (here / ".gitignore").write_text("*.o\n")
    (here / "sub").mkdir()
    (here / "sub/a.txt").write_text("one\n")
    git(here, "add", ".")
    git(here, "commit", "-qm", "first")
    migrate.ensure(root / "perles.db")
    relay = Relay(node)
    await relay.start()
    made = Stage(root, FarFolders(node), relay, here)
    made.context.writer.start()
    yield made
    await relay.close(ID)
    await relay.leave()
    made.context.writer.close()
    made.database.dispose()


async def test_a_turn_finds_the_work_dir_and_what_it_left_is_here(stage: Stage) -> None:
    stage.execution = {"artifacts": {"paths": ["out/*.o"], "optional": False, "max_bytes": 1000}}
    turn = await stage.begin()

    there = await stage.prepare(turn)
    (there / "out").mkdir()
    (there / "out/x.o").write_text("made")
    (there / "b.txt").write_text("b")

    assert await stage.works.bring(turn.id) is None
    assert (stage.here / "b.txt").read_text() == "b"
    assert (stage.here / "out/x.o").read_text() == "made"
    (event,) = stage.events("work.returned")
    assert event["payload"]["ref"] == f"refs/perles/{ID}/a/{turn.id}"
    assert git(stage.here, "rev-parse", event["payload"]["ref"]) == event["payload"]["commit"]


async def test_a_workflow_below_the_top_of_its_repository_is_below_it_there(stage: Stage) -> None:
    stage.here /= "sub"

    there = await stage.prepare(await stage.begin())

    assert there.name == "sub"
    assert content(there) == {"a.txt": b"one\n"}


async def test_a_call_about_files_finds_what_is_there_by_now(stage: Stage) -> None:
    turn = await stage.begin()
    there = await stage.prepare(turn)
    worker = stage.agent("worker-1")
    caller = Caller(ID, worker.id, worker.name, worker.role, turn.id)
    (there / "b.txt").write_text("b")

    await stage.works.before_call(caller, "signal_ready")
    assert not (stage.here / "b.txt").exists()
    await stage.works.before_call(caller, "report_implementation_complete")
    assert (stage.here / "b.txt").exists()

    assert await stage.works.here(caller, f"{there}/b.txt") == str(stage.here / "b.txt")
    assert await stage.works.here(caller, "/etc/passwd") == "/etc/passwd"
    assert await stage.works.here(caller, "b.txt") == "b.txt"

    stage.is_cut = True
    with pytest.raises(ToolError, match="your work is not here"):
        await stage.works.before_call(caller, "report_implementation_complete")


async def test_what_both_sides_changed_is_told_and_not_overwritten(stage: Stage) -> None:
    turn = await stage.begin()
    there = await stage.prepare(turn)
    (there / "sub/a.txt").write_text("theirs\n")
    (stage.here / "sub/a.txt").write_text("ours\n")

    assert await stage.works.bring(turn.id) is None

    assert (stage.here / "sub/a.txt").read_text() == "ours\n"
    (event,) = stage.events("work.conflict")
    assert event["payload"]["files"] == ["sub/a.txt"]
    assert event["payload"]["ref"] in stage.letters("coordinator")[0]


async def test_a_node_that_is_not_heard_makes_the_turn_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_work, "PAUSE", 0.01)
    turn = await stage.begin()
    there = await stage.prepare(turn)
    (there / "b.txt").write_text("b")
    stage.is_cut = True

    bringing = asyncio.ensure_future(stage.works.bring(turn.id))
    assert await bringing is LOST
    stage.is_cut = False

    assert await stage.works.bring(turn.id) is None
    assert (stage.here / "b.txt").exists()


@pytest.mark.parametrize(("why", "outcome"), [(nodes.LEFT, NODE_ENDED), ("silent", LOST)])
async def test_a_node_that_has_gone_is_not_waited_for(
    stage: Stage, why: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = await stage.begin()
    await stage.prepare(turn)
    stage.is_cut = True

    def go(tx: Tx) -> None:
        nodes.heard(tx, NODE, Heard(slots=1))
        nodes.gone(tx, NODE, why)

    async def pause(_seconds: float) -> None:
        pytest.fail("it is waited for")

    await stage.context.writer.write(go)
    monkeypatch.setattr("perles.engine.fleet.remote_work.asyncio.sleep", pause)

    assert await stage.works.bring(turn.id) is outcome


async def test_what_a_lost_turn_did_lands_on_its_own_ref_only(stage: Stage) -> None:
    turn = await stage.begin()
    there = await stage.prepare(turn)
    (there / "late.txt").write_text("late")

    def lose(tx: Tx) -> Turn:
        fire(tx, TURN, turn.id, "lose")
        fire(tx, AGENT, turn.agent_id, "turn_ended")
        return stage.turn(tx)

    again = await stage.context.writer.write(lose)
    there = await stage.prepare(again)

    assert not (there / "late.txt").exists()
    (event,) = stage.events("work.late")
    assert git(stage.here, "show", f"{event['payload']['ref']}:late.txt") == "late"
    assert event["payload"]["ref"].endswith(f"/{turn.id}")
    assert await stage.works.bring(again.id) is None
    assert not (stage.here / "late.txt").exists()


async def test_where_the_folder_is_not_shared_the_turn_is_refused_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = replace(stage.context.config.cluster, workspace="shared")
    stage.context.config = replace(stage.context.config, cluster=cluster)
    turn = await stage.begin()

    assert await stage.prepare(turn) == stage.here
    assert await stage.works.bring(turn.id) is None

    monkeypatch.setattr(probe, "SECONDS", 0.1)
    monkeypatch.setattr(remote_work, "PROBED_SECONDS", 0.0)
    monkeypatch.setattr(probe, "read", lambda folder, name: "")
    with pytest.raises(PerlesError, match=r"cannot start on node box1: .*set cluster.workspace"):
        await stage.prepare(turn)


async def test_a_folder_in_no_repository_is_refused_in_words(stage: Stage) -> None:
    turn = await stage.begin()
    (stage.here / ".git").rename(stage.here / "gone")

    with pytest.raises(PerlesError, match=r"cannot start on node box1: .* is in no git repository"):
        await stage.prepare(turn)


async def test_an_agent_that_moves_begins_a_session_and_is_told(stage: Stage) -> None:
    await stage.begin()

    def go(tx: Tx) -> None:
        worker = stage.agent("worker-1", tx)
        move(tx, worker, "box2")
        tx.update(Agent, worker.id, provider_session_id="s-1", session_totals="{}")
        messages.post(tx, worker, sender="you", kind="user", body="go on")
        move(tx, stage.agent("worker-1", tx), "box3")

    await stage.context.writer.write(go)

    worker = stage.agent("worker-1")
    assert (worker.node, worker.provider_session_id, worker.session_totals) == ("box3", None, None)
    (event,) = stage.events("agent.moved")
    assert (event["payload"]["from"], event["payload"]["to"]) == ("box2", "box3")
    handover = stage.letters("worker-1")[-1]
    assert "it was on box2, and goes on on box3" in handover
