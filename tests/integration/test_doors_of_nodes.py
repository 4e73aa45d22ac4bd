"""What one door can do with nodes, all can: shell, HTTP, Python, the dashboard, an agent's tool."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from perles import ControlPlane
from perles.aio import ControlPlane as AsyncPlane
from perles.companion.tools import Tools
from perles.config.cluster import Cluster
from perles.dashboard.jobs import worker
from perles.dashboard.model.state import State, View
from perles.dashboard.reading.source import Source
from perles.engine.fleet import cluster_status, nodes
from perles.engine.fleet.nodes import Heard
from perles.store.database import Database
from tests.integration.cli import Home
from tests.integration.http_server import free_port

SIZE = (120, 30)


@pytest.fixture
def served(home: Home) -> tuple[Home, str, str]:
    """A home with two nodes, its address and the token of an administrator."""
    port = free_port()
    assert home.perles("serve", "--detach", "--http", str(port)).returncode == 0
    database = Database(home.database)
    told = Heard(slots=4, labels=("gpu",), host="box1", perles="1", memory=2**34)
    database.write(lambda tx: nodes.heard(tx, "box1", told))
    database.write(lambda tx: nodes.heard(tx, "box2", told))
    database.write(lambda tx: nodes.lost(tx, "box2", "the cable is out"))
    database.write(lambda tx: cluster_status.began(tx, Cluster(scheduler="tcp://a:1")))
    database.write(lambda tx: cluster_status.stands(tx, ""))
    database.dispose()
    token = home.json("token", "create", "me", "--role", "admin", "--json")["token"]
    return home, f"http://127.0.0.1:{port}/api/v1", token


def _http(url: str, token: str, method: str = "GET") -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = b"{}" if method == "POST" else None
    asked = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(asked, timeout=60) as found:
        return json.load(found)


def _told(found: Any) -> list[tuple[str, str, int, int, list[str]]]:
    return [(n["name"], n["state"], n["used"], n["slots"], list(n["labels"])) for n in found]


def _on_screen(home: Home) -> View:
    source = Source(home.database)
    source.changed()
    view = source.view(State(screen="nodes"), View(), SIZE)
    source.close()
    return view


async def _by_tool(home: Home) -> Any:
    async with AsyncPlane(home.root) as plane:
        return await Tools(plane).nodes()


def test_every_door_tells_the_same_of_the_nodes(served: tuple[Home, str, str]) -> None:
    home, url, token = served
    told = [("box1", "ready", 0, 4, ["gpu"]), ("box2", "unreachable", 0, 4, ["gpu"])]

    assert _told(home.json("nodes", "--json")) == told
    assert _told(_http(f"{url}/nodes", token)) == told
    assert _told(ControlPlane(home.root).nodes()) == told
    assert _told(_on_screen(home).nodes) == told
    tool = asyncio.run(_by_tool(home))
    assert _told(tool["nodes"]) == told

    cluster = home.json("engine", "status", "--json")["cluster"]
    assert (cluster["state"], cluster["place"]) == ("connected", "tcp://a:1")
    for other in (_http(f"{url}/engine", token)["cluster"], tool["cluster"],
                  _on_screen(home).cluster, _http(f"{url}/overview", token)["engine"]["cluster"],
                  (ControlPlane(home.root).engine_status() or {})["cluster"]):  # fmt: skip
        assert other == cluster


def test_every_door_that_acts_drains_and_resumes(served: tuple[Home, str, str]) -> None:
    home, url, token = served
    plane = ControlPlane(home.root)
    doors: list[Callable[[str], Any]] = [
        lambda verb: home.json("nodes", verb, "box1", "--json")["state"],
        lambda verb: home.json("node", verb, "box1", "--json")["state"],
        lambda verb: _http(f"{url}/nodes/box1/{verb}", token, "POST")["state"],
        lambda verb: {"drain": plane.drain_node, "resume": plane.resume_node}[verb]("box1"),
        lambda verb: worker._do(plane, "node", {"verb": verb, "name": "box1"}).split()[-1],
    ]
    for door in doors:
        assert door("drain") == "draining"
        assert home.json("nodes", "--json")[0]["state"] == "draining"
        assert door("resume") == "ready"
        assert home.json("nodes", "--json")[0]["state"] == "ready"

    operator = home.json("token", "create", "op", "--role", "operate", "--json")["token"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        _http(f"{url}/nodes/box1/drain", operator, "POST")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _http(f"{url}/nodes/nope/drain", token, "POST")
