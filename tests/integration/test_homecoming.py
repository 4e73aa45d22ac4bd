"""The cluster is taken out of the configuration: what ran on nodes goes on on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.executor.remote.channel import TOKEN
from perles.store.reads.connection import reading
from tests.integration.test_work_on_nodes import NODES, Machines


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    yield made
    made.home.perles("engine", "stop")
    made.close()


def _without_cluster(machines: Machines) -> None:
    lines = machines.home.config_file.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("cluster:")]
    machines.home.config_file.write_text("\n".join(kept) + "\n")


def _pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_turn_that_was_left_on_a_node_is_done_here_once_it_has_ended_there(
    machines: Machines,
) -> None:
    home, pids, gate = machines.home, machines.root / "pids", machines.root / "gate"
    text = home.config_file.read_text()
    home.config_file.write_text(text.replace("node_ttl: 20s", "node_ttl: 3s"))
    machines.start()
    # What was killed and not waited for yet is no process that works.
    lives = "grep -qs '^State:[[:space:]]*[^Z[:space:]]' /proc/$p/status"
    alone = f"for p in $(cat {pids} 2>/dev/null); do {lives} && echo twice > {pids}.bad; done"
    wait = f"{alone}; echo $$ >> {pids}; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended"
    id = machines.run([{"key": "long", "run": wait}])
    home.wait_for("the turn there", lambda: _pids(pids))
    (first,) = _pids(pids)
    machines.kill()
    assert _lives(first)

    _without_cluster(machines)
    assert home.perles("serve", "--detach").returncode == 0
    home.wait_for("the turn here", lambda: len(_pids(pids)) == 2)
    assert not _lives(first)
    gate.touch()

    assert machines.ended(id) == "completed", home.perles("logs", id).stdout
    assert not Path(f"{pids}.bad").exists()
    assert "ended" in home.perles("logs", id).stdout
    assert {one["state"] for one in home.json("nodes", "--json")} == {"gone"}
    assert home.json("engine", "status", "--json")["cluster"] is None
    assert [event["payload"]["place"] for event in home.events("--type", "cluster.removed")] == [
        "tcp://127.0.0.1:1"
    ]
    assert machines.nodes() == {None}


def test_a_turn_that_its_node_ended_while_no_engine_ran_is_done_again(machines: Machines) -> None:
    home, pids, gate = machines.home, machines.root / "pids", machines.root / "gate"
    text = home.config_file.read_text()
    home.config_file.write_text(text.replace("node_ttl: 20s", "node_ttl: 2s"))
    machines.start()
    wait = f"echo $$ >> {pids}; while [ ! -e {gate} ]; do sleep 0.05; done"
    id = machines.run([{"key": "long", "run": wait}])
    home.wait_for("the turn there", lambda: _turns(machines) == ["running"] and _pids(pids))
    machines.kill()
    home.wait_for("its end", lambda: not _lives(_pids(pids)[0]))

    machines.start()
    gate.touch()

    assert machines.ended(id) == "completed", home.perles("show", id).stdout
    assert _turns(machines) == ["lost", "succeeded"]


def test_an_errand_leaves_turns_on_nodes_to_the_engine_that_has_the_cluster(
    machines: Machines,
) -> None:
    home, gate = machines.home, machines.root / "gate"
    text = home.config_file.read_text()
    home.config_file.write_text(text.replace("node_ttl: 20s", "node_ttl: 120s"))
    machines.start()
    id = machines.run([{"key": "long", "run": f"while [ ! -e {gate} ]; do sleep 0.05; done"}])
    home.wait_for("the turn there", lambda: _turns(machines) == ["running"])
    machines.kill()

    assert home.perles("maintenance", "reconcile").returncode == 0
    assert _turns(machines) == ["running"]

    machines.start()
    gate.touch()
    assert machines.ended(id) == "completed", home.perles("show", id).stdout
    assert _turns(machines) == ["succeeded"]


def test_a_turn_that_ended_while_its_node_was_out_of_reach_of_a_new_engine_succeeds(
    machines: Machines,
) -> None:
    home, done = machines.home, machines.root / "done"
    machines.start(PERLES_FAULT="spawn.after")
    id = machines.run([{"key": "short", "run": f"touch {done}"}])
    assert machines.engine is not None
    machines.engine.wait()
    home.wait_for("its end there", done.exists)
    assert _turns(machines) == ["starting"]

    tokens = [machines.root / name / TOKEN for name in NODES]
    for token in tokens:
        token.rename(token.with_suffix(".away"))
    machines.start()
    home.wait_for("the adoption", lambda: home.events("--type", "engine.adopted"))
    assert _turns(machines) == ["starting"]
    for token in tokens:
        token.with_suffix(".away").rename(token)

    assert machines.ended(id) == "completed", home.perles("show", id).stdout
    assert _turns(machines) == ["succeeded"]
    assert len(home.events("--type", "turn.started")) == 1


def _turns(machines: Machines) -> list[str]:
    with reading(machines.home.database) as connection:
        assert connection is not None
        query = "SELECT t.status FROM turns t JOIN agents a ON a.id = t.agent_id WHERE a.role = ?"
        return [row[0] for row in connection.execute(query, ("worker",))]
