"""Three machines and a cable: pulled in the middle of a turn, put back after the lease is over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.dask_cluster import DaskCluster, wait_for
from tests.integration.cli import Home
from tests.machines.namespaces import Machines

pytest.importorskip("distributed")
COUNT = 3
TTL = 6


class Site:
    """A home here, and nodes on machines with homes and folders of their own."""

    def __init__(self, root: Path, machines: Machines) -> None:
        self.root, self.machines, self.home = root, machines, Home(root)
        self.dask = DaskCluster(root, host=machines.host)
        self.dask.start_scheduler()
        for number in range(1, COUNT + 1):
            home = root / f"home{number}"
            home.mkdir()
            self.dask.start_worker(
                f"box{number}",
                root / f"box{number}",
                host=machines.address(number),
                prefix=machines.prefix(number),
                HOME=str(home),
            )
        self.home.config_file.write_text(
            f"cluster: {{scheduler: '{self.dask.address}', node_ttl: {TTL}s, max_workers: 2, "
            "workspace: git}\n"
        )
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
        (self.home.work / "README").write_text("here\n")
        for argv in (["git", "init", "-q"], ["git", "add", "."], [*git, "commit", "-qm", "a"]):
            assert self.home.run(argv).returncode == 0
        assert self.home.perles("serve", "--detach").returncode == 0
        names = [f"box{number}" for number in range(1, COUNT + 1)]
        wait_for("nodes", lambda: self.states() == dict.fromkeys(names, "ready"))

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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three machines at work; skipped, and it is said, where they cannot be made."""
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


def test_a_pipeline_over_three_machines_brings_its_work_home(site: Site) -> None:
    home = site.home
    tasks: list[dict[str, Any]] = [
        {"key": f"t{i}", "run": f"ip -o -4 addr show eth0; cat README; echo {i} >f{i}"}
        for i in range(4)
    ]
    done = home.perles("run", home.pipeline("far", tasks, workers=4))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in home.work.glob("f?")) == ["f0", "f1", "f2", "f3"]
    said = home.perles("logs", home.only()).stdout
    assert any(site.machines.address(number) in said for number in range(1, COUNT + 1))


def test_a_cable_that_is_pulled_ends_the_agent_there_before_it_runs_elsewhere(site: Site) -> None:
    home = site.home
    marker = "sleep 987.25"
    run = f"echo begun; {marker}"
    file = home.pipeline("cable", [{"key": "long", "run": run, "retries": 1}])
    id = home.perles("run", "-d", file).stdout.strip()
    wait_for("begun", lambda: "begun" in home.perles("logs", id).stdout)
    name = wait_for("busy", site.busy)
    number = int(name.removeprefix("box"))
    assert len(site.processes("987.25")) >= 1

    site.machines.pull(number)
    wait_for("loss", lambda: site.states()[name] in ("unreachable", "gone"))
    seen: set[int] = set()

    def elsewhere() -> bool:
        seen.add(len({_namespace(one) for one in site.processes("987.25")}))
        return site.busy() not in (None, name)

    wait_for("turn elsewhere", elsewhere)
    assert max(seen) <= 1, "it lived on two machines"
    site.machines.plug(number)
    wait_for("return", lambda: site.states()[name] == "ready")
    assert len({_namespace(one) for one in site.processes("987.25")}) == 1
    assert home.perles("stop", id, "--force").returncode == 0
    wait_for("end", lambda: not site.processes("987.25"))


def _namespace(process: psutil.Process) -> int:
    try:
        return Path(f"/proc/{process.pid}/ns/net").stat().st_ino
    except OSError:
        return 0
