"""What asks for nodes where there are none is told so; so is a cluster that the engine lacks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perles.config.cluster import Cluster
from perles.config.model import Config, Http, Notify
from perles.engine.fleet import nodes
from perles.engine.fleet.nodes import Heard
from perles.engine.reload import reload
from perles.store.database import Database
from perles.store.sqlite.driver import dbapi
from tests import ports
from tests.integration.cli import Home
from tests.integration.scheduler_world import World, without_processes

ELSEWHERE = "cluster: {scheduler: 'tcp://127.0.0.1:1'}\n"


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An engine's memory."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = World(tmp_path, ports.SCHEDULER)
    yield made
    made.close()


def test_a_label_of_nodes_without_a_cluster_is_refused(home: Home) -> None:
    file = home.pipeline("train", [{"key": "a", "run": "true"}])

    for verb in (["create"], ["run"], ["run", "--dry-run"], ["run", "-d"]):
        done = home.perles(*verb, file, "--on", "gpu")
        assert (done.returncode, done.stdout) == (2, "")
        said = "cannot run on nodes with label gpu: there is no cluster; perles nodes tells more"
        assert said in done.stderr
    assert home.json("list", "--all", "--json") == []


def test_a_label_is_taken_where_the_next_engine_has_a_cluster(home: Home) -> None:
    file = home.pipeline("train", [{"key": "a", "run": "true"}])
    assert home.perles("serve", "--detach").returncode == 0
    home.config_file.write_text(ELSEWHERE)

    done = home.perles("create", file, "--on", "gpu")
    assert done.returncode == 2
    assert "the engine was started without the cluster of the configuration" in done.stderr

    assert home.perles("engine", "stop").returncode == 0
    home.wait_for_no_engine()
    assert home.perles("create", file, "--on", "gpu").returncode == 0


def test_tasks_that_need_a_node_run_here_and_it_is_said(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "true", "needs": {"label": "gpu"}},
        {"key": "b", "run": "true"},
        {"key": "c", "run": "true", "needs": {"memory": "1GiB"}},
    ]
    done = home.perles("run", home.pipeline("train", tasks))
    assert done.returncode == 0, done.stderr
    said = "tasks a, c have needs:, and there is no cluster: this machine runs them"
    assert said in done.stderr

    done = home.perles("create", home.pipeline("plain", [{"key": "a", "run": "true"}]))
    assert done.stderr == ""
    home.config_file.write_text(ELSEWHERE)
    done = home.perles("create", home.pipeline("one", tasks[:1]))
    assert done.stderr == ""


def test_agents_show_their_nodes_where_there_are_some(home: Home) -> None:
    assert home.perles("run", home.pipeline("one", [{"key": "a", "run": "true"}])).returncode == 0
    id = home.only()
    assert "NODE" not in home.perles("agents", id).stdout
    database = Database(home.database)
    database.write(lambda tx: nodes.heard(tx, "box1", Heard(slots=4)))
    database.dispose()
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute("UPDATE agents SET node = 'box1'")
    head, *rows = home.perles("agents", id).stdout.splitlines()
    assert (head.split()[-1], {row.split()[-1] for row in rows}) == ("NODE", {"box1"})


def test_a_cluster_that_the_engine_does_not_take_up_is_told(home: Home) -> None:
    assert home.perles("serve", "--detach").returncode == 0
    home.config_file.write_text(ELSEWHERE)
    assert home.perles("config", "reload").stdout == (
        "needs another engine: cluster; perles engine stop ends this one, "
        "perles serve starts the next\n"
    )
    assert home.json("config", "reload", "--json") == {"changes": {}, "at_restart": ["cluster"]}
    home.config_file.write_text("")
    assert "nothing changed" in home.perles("config", "reload").stdout


async def test_leases_keep_the_settings_that_they_were_given_with(world: World) -> None:
    """A node must not count as gone by one ttl while its agents live by another."""
    context = world.context
    context.config = Config(cluster=Cluster(scheduler="tcp://a:1", node_ttl=60.0))
    wanted = replace(
        context.config,
        cluster=Cluster(scheduler="tcp://b:1", node_ttl=5.0, max_workers=3, on_partition="wait"),
        http=Http(listen="8080"),
        notify=Notify(command=("curl", "secret")),
    )
    told = await reload(context, lambda: wanted)

    assert context.config.cluster == Cluster(scheduler="tcp://a:1", node_ttl=60.0, max_workers=3)
    assert told.changes["cluster.max_workers"] == ["0", "3"]
    assert "secret" not in str(told)
    assert set(told.at_restart) == {
        *("cluster.scheduler", "cluster.node_ttl", "cluster.on_partition", "http.listen")
    }
    assert (await reload(context, lambda: replace(wanted, cluster=Cluster()))).at_restart == [
        *("cluster", "http.listen")
    ]
