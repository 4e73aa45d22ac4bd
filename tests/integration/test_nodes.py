"""The nodes of a cluster: rows, what people see of them, and what they can ask."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from perles.controlplane.plane import ControlPlane
from perles.domain.errors import NotFoundError, WrongStateError
from perles.engine.fleet import nodes
from perles.engine.fleet.nodes import Heard
from perles.store import migrate
from perles.store.database import Database
from perles.store.schema.nodes import Node
from tests.integration.cli import Home
from tests.integration.nodes import hello, stop_nodes

TOLD = Heard(slots=4, labels=("gpu",), host="box1", perles="1", memory=2**34, memory_free=2**33)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database in a home's place."""
    home = Home(tmp_path)
    home.root.mkdir(mode=0o700)
    path = home.root / "perles.db"
    migrate.ensure(path)
    return Database(path)


def _types(home: Home) -> list[str]:
    return [event["type"] for event in home.events() if event["type"].startswith("node.")]


def test_a_node_joins_is_lost_is_back_and_goes(database: Database, tmp_path: Path) -> None:
    for change in (
        lambda tx: nodes.heard(tx, "box1", TOLD),
        lambda tx: nodes.heard(tx, "box1", TOLD),
        lambda tx: nodes.lost(tx, "box1", "no answer"),
        lambda tx: nodes.lost(tx, "box1", "no answer"),
        lambda tx: nodes.heard(tx, "box1", TOLD),
        lambda tx: nodes.gone(tx, "box1", "silent"),
        lambda tx: nodes.heard(tx, "box1", TOLD),
    ):
        database.write(change)

    home = Home(tmp_path)
    assert _types(home) == ["node.joined", "node.lost", "node.back", "node.gone", "node.joined"]
    (shown,) = home.json("nodes", "--json")
    assert (shown["name"], shown["state"], shown["slots"], shown["used"]) == ("box1", "ready", 4, 0)
    assert shown["labels"] == ["gpu"]
    assert shown["memory_free"] == 2**33


def test_why_a_node_has_gone_stands_beside_it_until_it_is_back(
    database: Database, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.config_file.write_text("cluster: {scheduler: tcp://127.0.0.1:1}\n")
    for name in ("box1", "box2"):
        database.write(lambda tx, name=name: nodes.heard(tx, name, TOLD))  # type: ignore[misc]
    database.write(lambda tx: nodes.drain(tx, "box2"))
    for name in ("box1", "box2"):
        database.write(lambda tx, name=name: nodes.gone(tx, name, "it was ended"))  # type: ignore[misc]

    told = {one["name"]: one["problems"] for one in home.json("nodes", "--json")}
    assert told == {"box1": ["it was ended"], "box2": ["it was ended, after it was drained"]}
    assert "it was ended, after it was drained" in home.perles("nodes").stdout
    reasons = [one["payload"]["reason"] for one in home.events("--type", "node.gone")]
    assert reasons == ["it was ended", "it was ended, after it was drained"]
    said = _of_cluster(home)[-1]
    assert said["text"].startswith("no node is left in the cluster: box1, box2 are gone")

    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))
    assert home.json("nodes", "--json")[0]["problems"] == []


def test_a_drained_node_stays_so_over_a_loss(database: Database, tmp_path: Path) -> None:
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))
    home = Home(tmp_path)

    done = home.json("nodes", "drain", "box1", "--json")
    database.write(lambda tx: nodes.lost(tx, "box1", "no answer"))
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))

    assert done == {"node": "box1", "state": "draining"}
    assert home.json("nodes", "--json")[0]["state"] == "draining"
    assert _types(home) == [
        "node.joined",
        "node.draining",
        "node.drained",
        "node.lost",
        "node.back",
    ]
    assert home.json("nodes", "resume", "box1", "--json") == {"node": "box1", "state": "ready"}


def test_what_is_drained_while_it_is_out_of_reach_comes_back_drained(database: Database) -> None:
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))
    database.write(lambda tx: nodes.lost(tx, "box1", "no answer"))

    assert database.write(lambda tx: nodes.drain(tx, "box1")) == "unreachable"
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))

    with database.reader() as reader:
        assert reader.need(Node, "box1").state == "draining"


def test_a_node_that_is_not_there_or_gone_is_refused(database: Database) -> None:
    plane = ControlPlane(database.path.parent)
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))

    with pytest.raises(NotFoundError, match="did you mean 'box1'"):
        plane.drain_node("box11")
    database.write(lambda tx: nodes.gone(tx, "box1", "silent"))
    with pytest.raises(WrongStateError, match="cannot drain node box1: it is gone"):
        plane.drain_node("box1")


def test_without_a_cluster_there_are_no_nodes(home: Home) -> None:
    assert home.json("nodes", "--json") == []
    shown = home.perles("nodes")
    assert shown.returncode == 0
    assert "turns run on this machine" in shown.stderr


def test_until_a_node_is_there_it_is_said_what_is_waited_for(home: Home) -> None:
    pytest.importorskip("distributed")
    home.config_file.write_text("cluster: {scheduler: 'tcp://127.0.0.1:1'}\n")
    assert home.perles("serve", "--detach").returncode == 0

    first = home.perles("nodes").stderr
    home.wait_for("word of it", lambda: _cluster(home)["state"] == "unreachable")
    then = home.perles("nodes").stderr

    assert first.startswith("waiting for the cluster (tcp://127.0.0.1:")
    assert "unreachable since" in then
    assert "cannot reach tcp://127.0.0.1:" in then
    assert "unreachable since" in home.perles("engine", "status").stdout
    assert "is unreachable since" in _of_cluster(home)[0]["text"]
    home.perles("engine", "stop")
    assert "no engine runs; start one" in home.perles("nodes").stderr


def _cluster(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = (home.json("engine", "status", "--json") or {})["cluster"]
    return found


def test_a_node_by_hand_is_refused_in_words(home: Home) -> None:
    for given, said in (
        (("--name", "a b"), "cannot use 'a b' as a name"),
        (("--join", "box1:8786"), "write tcp://HOST:PORT"),
        (("--join", "tls://box1:8786"), "without --ca"),
        (("--join", "tls://b:1", "--ca", "/no", "--certificate", "c", "--key", "k"), "no file /no"),
    ):
        refused = home.perles("node", *given)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_a_node_by_hand_runs_where_a_worker_looks_for_it(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    asked = ("node", "--dir", str(folder), "--name", "box7", "--slots", "3")
    node = home.popen(*asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        home.wait_for("node", lambda: hello(folder) is not None)
        told = hello(folder)
        again = home.perles("node", "--dir", str(folder), "--name", "box7")
        by_environment = home.perles("node", PERLES_NODE_NAME="box7", PERLES_NODE_DIR=str(folder))
    finally:
        node.terminate()
        assert node.wait(30) == 0
        stop_nodes(tmp_path)

    assert told is not None
    assert (told.name, told.slots) == ("box7", 3)
    for one in (again, by_environment):
        assert one.returncode == 0
        assert f"node box7 runs already (pid {told.pid})" in one.stderr
    assert hello(folder) is None


def test_a_table_for_people(database: Database, tmp_path: Path) -> None:
    odd = Heard(slots=2, problems=("its Perles is 0.0.9, this one is 0.1.0\x1b[2J",))
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))
    database.write(lambda tx: nodes.heard(tx, "box2", odd))

    shown = Home(tmp_path).perles("nodes").stdout

    assert "0/4" in shown
    assert "gpu" in shown
    assert "its Perles is 0.0.9" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scheduler: box1:8786", "must be the address of a Dask scheduler"),
        ("scheduler: tcp://box1", "must be the address of a Dask scheduler"),
        ("scheduler: tls://box1:8786", "needs cluster.ca"),
        ("ssh: [-oProxyCommand=x]", "must be a host"),
        ("node_ttl: 1s", "must be at least 2s"),
        ("workspace: nfs", "unknown word"),
        ("labels: {box1: ['a b']}", "letters, digits"),
        ("{ssh: [a], slurm: {queue: b}}", "exclude each other"),
        ("sheduler: tcp://a:1", "did you mean 'scheduler'"),
    ],
)
def test_a_wrong_cluster_is_refused_with_its_line(home: Home, text: str, said: str) -> None:
    body = text if text.startswith("{") else f"{{{text}}}"
    home.config_file.write_text(f"cluster: {body}\n")

    refused = home.perles("config", "check")

    assert refused.returncode == 2
    assert said in refused.stderr
    assert "config.yaml:1" in refused.stderr


def test_a_repository_names_no_cluster(home: Home) -> None:
    folder = home.work / ".perles"
    folder.mkdir()
    (folder / "config.yaml").write_text("cluster: {scheduler: tcp://evil:8786}\n")

    checked = home.perles("config", "check")
    shown = {one["key"]: one["value"] for one in home.json("config", "show", "--json")}

    assert "it belongs to the engine" in checked.stderr
    assert "evil" not in _value(shown, "cluster.scheduler")


def _value(shown: dict[str, Any], key: str) -> str:
    return json.dumps(shown.get(key, ""))


def test_doctor_tells_what_is_wrong_with_the_cluster(database: Database, tmp_path: Path) -> None:
    odd = Heard(slots=2, problems=("its clock is 1h00m ahead of this one",))
    database.write(lambda tx: nodes.heard(tx, "box1", TOLD))
    database.write(lambda tx: nodes.heard(tx, "box2", odd))
    database.write(lambda tx: nodes.lost(tx, "box3", "its Dask worker has no Perles"))
    home = Home(tmp_path)
    without = _of_cluster(home)
    home.config_file.write_text("cluster: {scheduler: tcp://127.0.0.1:1}\n")

    found = _of_cluster(home)

    assert not without
    assert [(one["level"], one["text"]) for one in found] == [
        ("note", "no engine runs: what is told of nodes is what the last one knew"),
        ("problem", "node box2: its clock is 1h00m ahead of this one"),
        ("problem", "node box3 is out of reach: its Dask worker has no Perles"),
        ("ok", "1 node is ready: box1"),
    ]


def _of_cluster(home: Home) -> list[dict[str, Any]]:
    """What doctor finds about the cluster."""
    found = json.loads(home.perles("doctor", "--json").stdout)
    return [one for one in found if one["check"] == "cluster"]
