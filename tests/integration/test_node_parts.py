"""What an engine asks the parts of a node, as bytes: folders and tool calls."""

import asyncio
import os
from pathlib import Path

import pytest

from perles.executor.local.executor import LocalExecutor
from perles.executor.remote.errors import NodeError, UnreachableError
from perles.executor.remote.folders_part import FoldersPart, RemoteFolders
from perles.executor.remote.messages import TurnRef
from perles.executor.remote.part import Ask, PartHandler
from perles.executor.remote.records_part import RecordsPart, RemoteRecords
from perles.executor.remote.relay_part import RelayPart, RemoteRelay
from perles.keeper.main import NODE_LOCK_NAME
from perles.mcp import relayed
from perles.mcp.relay import Relay
from perles.node import turns
from perles.node.lease import Lease
from perles.node.records import Record, Records
from perles.node.turns import Turns
from perles.workspace.replica import probe, sync
from perles.workspace.replica.far import FarFolders
from perles.workspace.replica.snapshot import ReplicaError
from tests.integration.test_relay import ENGINE_PORT, WORKFLOW, Engine, Host, _number, _post
from tests.integration.test_replicas import WORKFLOW as FOLDER_OF
from tests.integration.test_replicas import Two, content, git, two

__all__ = ["two"]


def _line(part: PartHandler, *, cuts: int = 0) -> Ask:
    """Asks a part as over a wire; the answers of the first calls are lost."""
    left = cuts

    async def ask(name: str, op: str, body: bytes, wait: float) -> bytes:
        nonlocal left
        answer = await part.handle(op, body)
        if left:
            left -= 1
            raise UnreachableError("box1", "the line was cut")
        return answer

    return ask


async def test_what_turns_left_on_a_node_goes_once_their_workflow_is_over(tmp_path: Path) -> None:
    over, open_ = (
        TurnRef(workflow_id="wf-over", turn_id=7),
        TurnRef(workflow_id="wf-open", turn_id=8),
    )
    records = Records(tmp_path)
    for turn in (over, open_):
        records.keep(Record(turn=turn, folder=f"{turn.workflow_id}/worker-1", output="o.jsonl"))
        agent = tmp_path / "sessions" / turn.workflow_id / "worker-1"
        agent.mkdir(parents=True)
        (agent / "o.jsonl").write_text("{}")
    turns = Turns(tmp_path, LocalExecutor(), Lease(tmp_path))
    turns.recover()  # nobody told this node to forget them
    remote = RemoteRecords(_line(RecordsPart(turns), cuts=1))

    with pytest.raises(UnreachableError):
        await remote.all()
    assert await remote.all() == ["wf-open", "wf-over"]
    await remote.forget("wf-over")
    await remote.forget("wf-over")

    assert await remote.all() == ["wf-open"]
    assert records.is_forgotten(over)
    assert not records.is_forgotten(open_)
    assert sorted(path.name for path in (tmp_path / "sessions").iterdir()) == ["wf-open"]
    for bad in ("../turns", "", "/etc"):
        with pytest.raises(NodeError):
            await remote.forget(bad)


async def test_a_work_dir_travels_as_bytes(two: Two) -> None:
    far = RemoteFolders(_line(FoldersPart(two.node)))

    await sync.send(two.shared, far, two.parcels)
    (two.there / "b.txt").write_text("b\n")
    git(two.there, "add", ".")
    git(two.there, "commit", "-qm", "second")
    returned = await sync.bring(two.shared, far, two.parcels, task="a", turn_id=1)
    (two.there / "x.o").write_text("ignored")
    wanted = ["*.o"]
    files = await sync.bring_ignored(two.shared, far, two.parcels, patterns=wanted, most=1000)

    assert returned.ref == f"refs/perles/{FOLDER_OF}/a/1"
    assert files == ["x.o"]
    assert await far.all() == [FOLDER_OF]
    assert await far.has(FOLDER_OF)
    own = Path(await far.agent_folder(FOLDER_OF, "worker-1"))
    assert own == two.node.work_dir(FOLDER_OF).parent.parent / "sessions" / FOLDER_OF / "worker-1"
    assert os.access(own, os.W_OK)
    assert content(two.here) == content(two.there)
    await far.forget(FOLDER_OF)
    assert not two.there.exists()


async def test_what_the_node_cannot_is_said_in_its_words(two: Two) -> None:
    part = FoldersPart(two.node)
    far = RemoteFolders(_line(part))

    with pytest.raises(ReplicaError, match="is no git repository any more"):
        await far.publish("wf-none", "a", 1, [])
    with pytest.raises(ReplicaError, match="there is no parcel"):
        await far.take("../../etc/passwd", 0)
    with pytest.raises(NodeError, match="does not know it"):
        await part.handle("rm", b"")
    with pytest.raises(NodeError, match="cannot read a request"):
        await part.handle("take", b"nonsense")


async def test_a_shared_folder_is_probed_from_both_sides(tmp_path: Path) -> None:
    far = RemoteFolders(_line(FoldersPart(FarFolders(tmp_path / "node"))))
    shared = tmp_path / "shared"
    shared.mkdir()

    await far.need_shared(shared)

    assert not list(shared.iterdir())


async def test_a_folder_that_is_not_shared_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.2)
    there = tmp_path / "there"
    there.mkdir()
    part = FoldersPart(FarFolders(tmp_path / "node"))

    async def elsewhere(name: str, op: str, body: bytes, wait: float) -> bytes:
        """Another machine, which has a folder of the same name."""
        return await part.handle(op, body.replace(b"/here", b"/ther"))

    (tmp_path / "here").mkdir()
    (tmp_path / "ther").mkdir()
    with pytest.raises(ReplicaError, match="not the same folder"):
        await RemoteFolders(elsewhere).need_shared(tmp_path / "here")

    assert not list((tmp_path / "here").iterdir())
    assert not list((tmp_path / "ther").iterdir())


async def test_calls_travel_as_bytes_and_are_carried_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relayed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(relayed, "LOOK_SECONDS", 0.5)
    (tmp_path / NODE_LOCK_NAME).write_text(f"{os.getpid()}\n")
    relay, host = Relay(tmp_path), Host()
    await relay.start()
    node = RemoteRelay(_line(RelayPart(relay)))
    cut = RemoteRelay(_line(RelayPart(relay), cuts=4))
    engine = Engine(host, cut, failures=(NodeError,))
    port = await node.open(WORKFLOW)

    answers = await asyncio.gather(*(_post(port) for _ in range(3)))

    assert port != ENGINE_PORT
    assert await node.all() == [WORKFLOW]
    assert sorted(_number(answer) for _, answer in answers) == [1, 2, 3]
    assert host.carried_out == 3
    await engine.die()
    await node.close(WORKFLOW)
    with pytest.raises(ConnectionRefusedError):
        await _post(port)
    await relay.leave()


def test_the_engines_database_stays_where_the_engine_is() -> None:
    given = {"A": "1", "PERLES_DATABASE": "postgresql://me:word@host/perles"}

    found = turns.of_this_machine(given)

    assert found["A"] == "1"
    assert "PERLES_DATABASE" not in found
