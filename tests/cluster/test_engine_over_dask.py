"""An engine, a Dask scheduler and three machines on loopback: turns run there and survive kills."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from perles.store.sqlite.driver import dbapi
from tests.cluster.dask_cluster import DaskCluster, kill_all, wait_for
from tests.integration.cli import Home

pytest.importorskip("distributed")

NODES = ("box1", "box2", "box3")


class Site:
    """A home with its engine, and nodes in folders of their own."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.dask = root, Home(root), DaskCluster(root)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.dask.start_scheduler()
        for name in NODES:
            self.workers[name] = self.dask.start_worker(name, root / name)
        self.home.config_file.write_text(
            f"cluster: {{scheduler: '{self.dask.address}', node_ttl: 10s, max_workers: 2, "
            "labels: {box3: [gpu]}}\n"
        )
        assert self.home.perles("serve", "--detach").returncode == 0
        wait_for("nodes", lambda: self.states() == dict.fromkeys(NODES, "ready"))

    def states(self) -> dict[str, str]:
        """How each node stands."""
        return {one["name"]: one["state"] for one in self.home.json("nodes", "--json")}

    def node_pid(self, name: str) -> int:
        """The process of a node."""
        return int((self.root / name / "node.lock").read_text())

    def nodes_of(self, workflow_id: str) -> set[str]:
        """Where agents of a workflow are."""
        with closing(dbapi.connect(self.home.database)) as connection:
            query = "SELECT DISTINCT node FROM agents WHERE workflow_id = ? AND node IS NOT NULL"
            return {row[0] for row in connection.execute(query, (workflow_id,))}

    def close(self) -> None:
        """End the engine, the nodes with what they run, and Dask."""
        self.home.perles("engine", "stop")
        for name in NODES:
            lock = self.root / name / "node.lock"
            if lock.exists():
                _end(int(lock.read_text() or 0))
        self.dask.close()


def _end(pid: int) -> None:
    if pid and psutil.pid_exists(pid):
        os.kill(pid, signal.SIGTERM)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three machines at work."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


def test_a_pipeline_runs_over_the_nodes_as_on_one_machine(site: Site) -> None:
    home = site.home
    tasks: list[dict[str, Any]] = [
        {"key": f"t{i}", "run": f"echo line-{i}; echo {i} >>out.txt"} for i in range(6)
    ]
    tasks.append({"key": "where", "run": "true", "needs": {"label": "gpu"}})
    done = home.perles("run", home.pipeline("spread", tasks, workers=4))

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted((home.work / "out.txt").read_text().split()) == list("012345")
    id = home.only()
    assert len(site.nodes_of(id)) > 1
    lines = [e["payload"]["text"] for e in home.events() if e["type"] == "worker.output"]
    assert sorted(one for one in lines if one.startswith("line-")) == [
        f"line-{i}" for i in range(6)
    ]


def test_a_task_survives_the_death_of_its_worker_nanny_and_scheduler(site: Site) -> None:
    home = site.home
    go = home.work / "go"
    run = "echo begun; while [ ! -e go ]; do sleep 0.1; done; echo once >>once.txt; echo ended"
    file = home.pipeline("long", [{"key": "long", "run": run, "needs": {"label": "gpu"}}])
    id = home.perles("run", "-d", file).stdout.strip()
    wait_for("begun", lambda: "begun" in home.perles("logs", id).stdout)
    assert site.nodes_of(id) == {"box3"}
    before = site.node_pid("box3")

    kill_all(site.workers["box3"])
    assert site.dask.scheduler is not None
    kill_all(site.dask.scheduler)
    for name in ("box1", "box2"):
        kill_all(site.workers[name])
    site.dask.start_scheduler()
    for name in NODES:
        site.workers[name] = site.dask.start_worker(name, site.root / name)
    wait_for("nodes", lambda: site.states() == dict.fromkeys(NODES, "ready"))
    go.touch()

    assert home.perles("wait", id, "--timeout", "180s").returncode == 0
    assert site.node_pid("box3") == before
    assert (home.work / "once.txt").read_text() == "once\n"
    assert "ended" in home.perles("logs", id).stdout


def test_a_drained_node_gets_nothing_and_a_label_that_is_not_there_is_said(site: Site) -> None:
    home = site.home
    assert home.perles("nodes", "drain", "box3").returncode == 0
    file = home.pipeline("gpu", [{"key": "g", "run": "true"}])
    id = home.perles("run", "-d", file, "--on", "gpu").stdout.strip()

    def waits() -> bool:
        said = home.json("show", id, "--json")["waits_for"]
        return any("label gpu is ready: box3 is draining" in text for text in said)

    wait_for("words", waits)
    assert home.perles("nodes", "resume", "box3").returncode == 0
    assert home.perles("wait", id, "--timeout", "180s").returncode == 0
    assert site.nodes_of(id) == {"box3"}
