"""A node that somebody ends takes its agents along, and tells: nobody waits for its lease."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.node import guard
from perles.store.reads.connection import reading
from tests.integration.nodes import stop_nodes
from tests.integration.test_work_on_nodes import Machines


class Patient(Machines):
    """Nodes whose lease is over only long after a test has failed."""

    def configure(self) -> None:
        """Add the cluster to what the configuration says."""
        with self.home.config_file.open("a") as file:
            file.write("cluster: {scheduler: 'tcp://127.0.0.1:1', workspace: git, node_ttl: 1h}\n")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Patient]:
    """An engine with two nodes."""
    made = Patient(tmp_path)
    yield made
    made.close()
    stop_nodes(tmp_path)


def _busy(machines: Patient) -> str | None:
    found = [one["name"] for one in machines.home.json("nodes", "--json") if one["used"]]
    return found[0] if found else None


def _ends(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_a_node_ran_that_was_ended_is_done_elsewhere_at_once(
    machines: Patient, number: signal.Signals
) -> None:
    home = machines.home
    machines.start()
    run = "echo $$ >>../pids; [ $(wc -l <../pids) -gt 1 ] || { echo begun; sleep 3600; }"
    run = run.replace("..", str(machines.root))
    tasks: list[dict[str, Any]] = [{"key": "long", "run": run, "retries": 1}]
    id = machines.run(tasks)
    home.wait_for("its begin", lambda: "begun" in home.perles("logs", id).stdout)
    name = home.wait_for("its node", lambda: _busy(machines))
    folder = machines.root / name
    (pid,) = map(int, (machines.root / "pids").read_text().split())
    (node,), (watch,) = (guard.pids_in(folder / one) for one in (guard.NODE_LOCK, guard.LOCK))

    os.kill(node, number)

    assert machines.ended(id) == "completed"
    for one in (pid, node, watch):
        home.wait_for(f"the end of {one}", partial(_ends, one))
    assert not guard.is_held(folder / guard.LOCK)
    states = {one["name"]: one["state"] for one in home.json("nodes", "--json")}
    assert states[name] == "gone"
    assert {one["node"] for one in home.json("agents", id, "--json")} >= states.keys() - {name}
    (gone,) = home.events("--type", "node.gone")
    assert gone["payload"]["reason"] == "it was ended on its machine"
    log = (folder / "node.log").read_text()
    assert f"node {name} ends, with 1 agent" in log
    assert "Traceback" not in log
    assert "does not know" not in log


def test_a_node_that_ends_idle_is_gone_at_once(machines: Patient) -> None:
    home = machines.home
    machines.start()
    joined = {"box1": "ready", "box2": "ready"}

    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in home.json("nodes", "--json")}

    home.wait_for("the nodes", lambda: states() == joined)
    (node,) = guard.pids_in(machines.root / "box1" / guard.NODE_LOCK)
    os.kill(node, signal.SIGTERM)
    home.wait_for("its end", lambda: _ends(node))
    home.wait_for("the word", lambda: states() == {"box1": "gone", "box2": "ready"})
    with reading(home.database) as connection:
        assert connection is not None
        assert not connection.execute("SELECT 1 FROM turns").fetchall()
