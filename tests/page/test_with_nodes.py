"""The nodes on the page: told, drained by an administrator, and small enough for a phone."""

from typing import Any

import pytest

from perles.config.cluster import Cluster
from perles.engine.fleet import cluster_status, nodes
from perles.engine.fleet.nodes import Heard
from perles.store.database import Database
from tests.page.stage import HOSTILE, Stage
from tests.page.test_page import _fits, _go
from tests.page.waits import is_told


@pytest.fixture
def cluster(stage: Stage) -> Stage:
    """Two nodes, one of which says hostile things and is not heard."""
    database = Database(stage.home.database)
    told = Heard(slots=4, labels=("gpu",), host="box1", perles="1", memory=2**34, skew=-90.0)
    database.write(lambda tx: cluster_status.began(tx, Cluster(scheduler="tcp://box1:8786")))
    database.write(lambda tx: nodes.heard(tx, "box1", told))
    database.write(lambda tx: nodes.heard(tx, "box2", told))
    database.write(lambda tx: nodes.lost(tx, "box2", HOSTILE))
    database.dispose()
    return stage


def test_nodes_are_told_and_drained_by_an_administrator(
    page: Any, cluster: Stage, errors: list[str]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    _go(page, cluster, "nodes")
    for words in ("tcp://box1:8786: connecting since", "box1", "0 of 4 slots", "clock 90 s behind",
                  "<img src=x onerror=alert(1)>"):  # fmt: skip
        is_told(page, words)
    assert _fits(page)
    assert page.get_by_role("button", name="Drain").count() == 0  # this token may only operate

    made = cluster.home.json("token", "create", "boss", "--role", "admin", "--json")
    page.goto("about:blank")
    page.goto(f"{cluster.url}/#token={made['token']}")
    page.wait_for_selector("ul.cards > li")
    page.get_by_role("link", name="Nodes").click()
    page.get_by_role("button", name="Drain").first.click()
    is_told(page, "box1 is draining")
    page.get_by_role("button", name="Resume").first.click()
    is_told(page, "box1 is ready")
    cluster.home.perles("token", "revoke", "boss")
    assert not errors
