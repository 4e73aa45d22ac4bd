"""Three machines and a cable: pulled in the middle of a turn, put back after the lease is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.dask_cluster import wait_for
from tests.machines.site import COUNT, Site

pytest.importorskip("distributed")


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
