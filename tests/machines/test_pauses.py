"""A node that stands still beyond its lease: its agent has ended before another one begins."""

from __future__ import annotations

import os
import signal

import pytest

from tests.cluster.dask_cluster import wait_for
from tests.machines.site import Site

pytest.importorskip("distributed")
SECONDS = "986.25"
"""How long the task sleeps: nothing else does for that time."""


def test_a_node_that_stands_still_beyond_its_lease_has_no_agent_after_it(site: Site) -> None:
    home = site.home
    file = home.pipeline("pause", [{"key": "long", "run": f"echo begun; sleep {SECONDS}"}])
    id = home.perles("run", "-d", file).stdout.strip()
    wait_for("begun", lambda: "begun" in home.perles("logs", id).stdout)
    name = wait_for("busy", site.busy)
    node = site.node_pid(int(name.removeprefix("box")))
    (first,) = wait_for("its process", lambda: _sleeps(site))

    os.kill(node, signal.SIGSTOP)
    try:
        wait_for("turn elsewhere", lambda: site.busy() not in (None, name))
        (second,) = wait_for("its next process", lambda: _sleeps(site))
        assert first != second, "it lives on a node whose lease is over"
    finally:
        os.kill(node, signal.SIGCONT)
    wait_for("return", lambda: site.states()[name] == "ready")
    assert _sleeps(site) == [second]
    assert home.perles("stop", id, "--force").returncode == 0
    wait_for("end", lambda: not _sleeps(site))


def _sleeps(site: Site) -> list[int]:
    """The processes of the task, on any machine."""
    found = site.processes(SECONDS)
    return [one.pid for one in found if one.info["cmdline"][0].endswith("sleep")]
