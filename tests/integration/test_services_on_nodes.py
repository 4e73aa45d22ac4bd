"""A service on a node is asked there whether it is ready, and not on the engine's machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_work_on_nodes import NODES, Machines

SERVE = "touch up; echo up; trap 'exit 0' TERM; while :; do sleep 0.05; done"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """Two nodes with work dirs of their own, and an engine."""
    made = Machines(tmp_path)
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("ready", [{"command": "test -e up"}, {"line": "^up$"}], ids=str)
def test_it_is_asked_where_it_runs(machines: Machines, ready: dict[str, str]) -> None:
    web = {"key": "web", "run": SERVE, "service": True, "ready": {**ready, "timeout": "20s"}}
    user: dict[str, Any] = {"key": "user", "run": "test -e up", "after": ["web"]}

    id = machines.run([web, user])

    assert machines.ended(id) == "completed", machines.home.perles("show", id).stdout
    assert machines.nodes() <= set(NODES)


def test_a_strangers_port_is_not_taken_for_the_service(machines: Machines) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        ready = {"tcp": port, "timeout": "20s"}
        web = {"key": "web", "run": "sleep 60", "service": True, "ready": ready}
        user = {"key": "user", "run": "true", "after": ["web"]}

        id = machines.run([web, user])

        assert machines.ended(id) == "failed"
    tasks = {task["key"]: task for task in machines.home.json("show", id, "--json")["tasks"]}
    assert tasks["user"]["status"] == "skipped"
    assert f"port {port} of node " in tasks["web"]["failure"]
    assert "is held by python" in tasks["web"]["failure"]
