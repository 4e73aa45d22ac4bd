"""A new engine adopts a turn whose node tells of it only later: its start is committed then."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.node import guard
from perles.store.reads.connection import reading
from tests.integration.test_work_on_nodes import NODES, Machines


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """Two nodes; no engine yet."""
    made = Machines(tmp_path)
    yield made
    _send(made, signal.SIGCONT)
    made.close()


def _send(machines: Machines, number: signal.Signals) -> None:
    for name in NODES:
        for pid in guard.pids_in(machines.root / name / guard.NODE_LOCK):
            os.kill(pid, number)


def _turn(machines: Machines) -> tuple[str, int | None]:
    """The state of the worker's turn, and its process."""
    with reading(machines.home.database) as connection:
        assert connection is not None
        row = connection.execute(
            "SELECT t.status, t.pid FROM turns t JOIN agents a ON a.id = t.agent_id "
            "WHERE a.role = 'worker'"
        ).fetchone()
    return ("", None) if row is None else (row["status"], row["pid"])


def test_a_turn_whose_node_tells_of_it_later_is_running_then(machines: Machines) -> None:
    home, pids, gate = machines.home, machines.root / "pids", machines.root / "gate"
    text = home.config_file.read_text()
    home.config_file.write_text(text.replace("node_ttl: 20s", "node_ttl: 1h"))
    run = f"echo $$ >>{pids}; while [ ! -e {gate} ]; do sleep 0.05; done"
    id = home.perles("create", home.pipeline("flow", [{"key": "long", "run": run}])).stdout.strip()
    machines.start(PERLES_FAULT="spawn.after")
    home.perles("start", id)
    engine = machines.engine
    assert engine is not None
    home.wait_for("its death", lambda: engine.poll() is not None)
    home.wait_for("the process", pids.exists)
    assert _turn(machines) == ("starting", None)
    _send(machines, signal.SIGSTOP)
    machines.start()
    home.wait_for("the adoption", lambda: home.events("--type", "engine.adopted"))
    assert _turn(machines) == ("starting", None)

    _send(machines, signal.SIGCONT)

    home.wait_for("its start", lambda: _turn(machines)[0] == "running")
    assert _turn(machines)[1] is not None
    gate.touch()
    assert machines.ended(id) == "completed", home.perles("show", id).stdout
    assert len(pids.read_text().split()) == 1
    assert len(home.events("--type", "turn.started")) == 1
