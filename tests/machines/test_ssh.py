"""`cluster: {ssh: …}` over real servers of SSH: nodes come, work, come back, and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.dask_cluster import wait_for
from tests.integration.cli import Home
from tests.machines import ssh
from tests.machines.namespaces import Machines

pytest.importorskip("distributed")
COUNT = 2
TTL = 6
MODULE = "perles.cluster.remote"


class Site:
    """A home here, two machines with SSH, and no Dask but what Perles starts."""

    def __init__(self, root: Path, machines: Machines) -> None:
        self.root, self.machines, self.home = root, machines, Home(root)
        self.ssh = ssh.SshServers(root / "ssh", machines)
        self.home.environ["PATH"] = f"{self.ssh.bin}:{self.home.environ['PATH']}"
        self.configure()

    def configure(self, hosts: str = "root@box1, root@box2", more: str = "") -> None:
        """Write the configuration."""
        self.home.config_file.write_text(
            f"cluster: {{ssh: [{hosts}], node_ttl: {TTL}s, max_workers: 2{more}}}\n"
        )

    def serve(self) -> None:
        """Start the engine."""
        done = self.home.perles("serve", "--detach")
        assert done.returncode == 0, done.stderr

    def states(self) -> dict[str, str]:
        """How each node stands."""
        return {one["name"]: one["state"] for one in self.home.json("nodes", "--json")}

    def notes(self) -> str:
        """What is wrong with nodes."""
        return "\n".join(p for one in self.home.json("nodes", "--json") for p in one["problems"])

    def log(self) -> str:
        """What the engine logged."""
        return (self.home.root / "engine.log").read_text()

    def remotes(self) -> list[psutil.Process]:
        """Dask's programs of this site, on any machine."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if MODULE in (process.info["cmdline"] or ()) and self._is_here(process):
                found.append(process)
        return found

    def _is_here(self, process: psutil.Process) -> bool:
        try:
            return str(self.root) in process.environ().get("PERLES_NODE_DIR", "")
        except (psutil.Error, OSError):
            return False

    def close(self) -> None:
        """End the engine, the nodes and the servers."""
        self.home.perles("engine", "stop")
        for number in range(1, COUNT + 1):
            lock = self.root / f"box{number}" / "node.lock"
            if lock.exists() and lock.read_text().strip():
                subprocess.run(["kill", lock.read_text().strip()], check=False)
        self.ssh.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two machines with SSH; skipped, and it is said, where they cannot be made."""
    if lacks := ssh.missing():
        pytest.skip(f"NO SSH SERVERS HERE: {lacks}")
    machines = Machines(COUNT)
    try:
        machines.make()
    except OSError as error:
        machines.close()
        pytest.skip(f"NO NETWORK NAMESPACES HERE: {error}")
    made = Site(tmp_path, machines)
    yield made
    made.close()
    machines.close()


BOTH = {"box1": "ready", "box2": "ready"}


def test_nodes_over_ssh_work_come_back_after_a_cut_and_end_with_the_engine(site: Site) -> None:
    home = site.home
    site.serve()
    wait_for("nodes", lambda: site.states() == BOTH)
    tasks: list[dict[str, Any]] = [{"key": f"t{i}", "run": "hostname"} for i in range(4)]
    done = home.perles("run", home.pipeline("far", tasks, workers=4), timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said = home.perles("logs", home.only()).stdout
    assert "box1" in said
    assert "box2" in said

    site.machines.pull(2)
    wait_for("loss", lambda: site.states()["box2"] != "ready")
    assert site.states()["box1"] == "ready"
    site.machines.plug(2)
    wait_for("return", lambda: site.states() == BOTH)

    home.kill_engine()
    wait_for("end of Dask", lambda: not site.remotes())
    site.serve()
    wait_for("nodes", lambda: site.states() == BOTH)
    assert home.perles("engine", "stop").returncode == 0
    wait_for("end of Dask", lambda: not site.remotes())
    assert "BEGIN" not in site.log()


def test_a_host_that_cannot_be_reached_is_said_and_the_others_work(site: Site) -> None:
    site.configure("root@box1, root@box2, root@10.255.255.1, root@nowhere.invalid")
    site.machines.pull(2)
    site.serve()
    wait_for("node", lambda: site.states().get("box1") == "ready")
    wait_for("words", lambda: "Could not resolve hostname nowhere.invalid" in site.notes())
    done = site.home.perles("run", site.home.pipeline("near", [{"key": "a", "run": "hostname"}]))
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for("words", lambda: "cannot use root@10.255.255.1: " in site.notes())
    site.machines.plug(2)
    wait_for("node", lambda: site.states()["box2"] == "ready")


def test_a_wrong_key_and_a_python_without_perles_are_said(site: Site) -> None:
    site.ssh.use_key("wrong")
    site.serve()
    wait_for("words", lambda: "cannot use root@box1: root@" in site.log())
    assert "Permission denied (publickey" in site.log()
    site.ssh.use_key("key")
    wait_for("nodes", lambda: site.states() == BOTH)
    site.home.perles("engine", "stop")

    bare = site.root / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    for python, said in (
        (bare / "bin" / "python", "has no perles: pip install 'perles[cluster]' there"),
        (bare / "bin" / "python9", "cluster.python names the Python there"),
    ):
        site.configure(more=f", python: {python}")
        site.serve()
        wait_for(said, partial(_stands_in, said, site))
        assert site.home.perles("engine", "stop").returncode == 0


def _stands_in(text: str, site: Site) -> bool:
    return text in site.log()


def test_a_scheduler_that_dies_is_started_again(site: Site) -> None:
    site.serve()
    wait_for("nodes", lambda: site.states() == BOTH)
    pids = [(site.root / f"box{n}" / "node.lock").read_text() for n in (1, 2)]
    for process in site.remotes():
        os.kill(process.pid, signal.SIGKILL)
    wait_for("loss", lambda: "the connection to the Dask scheduler was lost" in site.log())
    wait_for("nodes", lambda: len(site.remotes()) == 3 and site.states() == BOTH)
    assert pids == [(site.root / f"box{n}" / "node.lock").read_text() for n in (1, 2)]
