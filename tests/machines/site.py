"""A home here, and three machines with nodes: namespaces on one bridge, joined by Dask."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cluster.dask_cluster import DaskCluster, wait_for
from tests.integration.cli import Home
from tests.machines.namespaces import Machines

COUNT = 3
TTL = 6


class Site:
    """A home here, and nodes on machines with homes and folders of their own."""

    def __init__(self, root: Path, machines: Machines, database: str = "", ttl: int = TTL) -> None:
        self.root, self.machines, self.home = root, machines, Home(root)
        if database:
            self.home.environ["PERLES_DATABASE"] = database
        self.dask = DaskCluster(root, host=machines.host)
        self.dask.start_scheduler()
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.ttl = ttl
        for number in range(1, COUNT + 1):
            (root / f"home{number}").mkdir()
            self.start_worker(number)
        self.configure()
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
        (self.home.work / "README").write_text("here\n")
        for argv in (["git", "init", "-q"], ["git", "add", "."], [*git, "commit", "-qm", "a"]):
            assert self.home.run(argv).returncode == 0

    def configure(self) -> None:
        """Add the cluster to what the configuration says."""
        with self.home.config_file.open("a") as file:
            file.write(
                f"\ncluster: {{scheduler: '{self.dask.address}', node_ttl: {self.ttl}s, "
                "max_workers: 2, workspace: git}\n"
            )

    def start_worker(self, number: int, before: tuple[str, ...] = ()) -> None:
        """Start the Dask worker of a machine; `before` begins its command there."""
        self.workers[number] = self.dask.start_worker(
            f"box{number}",
            self.root / f"box{number}",
            host=self.machines.address(number),
            prefix=(*self.machines.prefix(number), *before),
            HOME=str(self.root / f"home{number}"),
        )

    def serve(self) -> None:
        """Start an engine on its own, and wait for the nodes."""
        done = self.home.perles("serve", "--detach")
        assert done.returncode == 0, done.stderr
        self.wait_for_nodes()

    def wait_for_nodes(self) -> None:
        """Until all machines are ready."""
        names = [f"box{number}" for number in range(1, COUNT + 1)]
        wait_for("nodes", lambda: self.states() == dict.fromkeys(names, "ready"))

    def node_pid(self, number: int) -> int:
        """The node of a machine."""
        return int((self.root / f"box{number}" / "node.lock").read_text())

    def states(self) -> dict[str, str]:
        """How each node stands."""
        return {one["name"]: one["state"] for one in self.home.json("nodes", "--json")}

    def busy(self) -> str | None:
        """The node that runs a turn."""
        found = [one["name"] for one in self.home.json("nodes", "--json") if one["used"]]
        return found[0] if found else None

    def processes(self, marker: str) -> list[psutil.Process]:
        """The shells of a task, on any machine."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if any(marker in word for word in process.info["cmdline"] or ()):
                found.append(process)
        return found

    def close(self) -> None:
        """End the engine, the nodes and Dask."""
        self.home.perles("engine", "stop")
        for number in range(1, COUNT + 1):
            lock = self.root / f"box{number}" / "node.lock"
            if lock.exists() and lock.read_text().strip():
                subprocess.run(["kill", lock.read_text().strip()], check=False)
        self.dask.close()


@contextmanager
def three_machines() -> Iterator[Machines]:
    """Skipped, and it is said, where they cannot be made."""
    machines = Machines(COUNT)
    try:
        machines.make()
    except OSError as error:
        machines.close()
        pytest.skip(f"NO NETWORK NAMESPACES HERE: {error}")
    try:
        yield machines
    finally:
        machines.close()
