"""Agents on three nodes over Dask, on this machine: their cost, and how soon they are heard.

`python -m tests.benchmarks.run fleet`; `PERLES_BENCH_AGENTS=60` for fewer agents.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.benchmarks.bench import PERLES, Bench, Row, bench, percentile
from tests.cluster.dask_cluster import DaskCluster, kill_all, wait_for
from tests.integration.nodes import stop_nodes

NODES = 3
AGENTS = int(os.environ.get("PERLES_BENCH_AGENTS", "300"))
SECONDS = 20.0
CHAIN = 40
IN_ONE = 75
"""Agents of one pipeline: a workflow has at most 99."""
TALK = (
    "import sys, time\n"
    "for _ in range(3000): print('said', time.time(), flush=True); time.sleep(float(sys.argv[1]))"
)
MIB = 2**20


class Site:
    """A home with an engine and its nodes."""

    def __init__(self, home: Bench) -> None:
        self.home, self.dask = home, DaskCluster(home.root)
        policy = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__"
        self.environ = home.environ | {
            "XDG_CONFIG_HOME": str(home.root / "config"),
            f"{policy}MAX_WORKERS": str(2 * AGENTS),
            f"{policy}MAX_AI_CALLS": str(2 * AGENTS),
        }

    def open(self) -> None:
        """Begin it."""
        home = self.home
        self.dask.start_scheduler()
        file = home.root / "config" / "perles" / "config.yaml"
        file.parent.mkdir(parents=True)
        slots = AGENTS // NODES + 10
        cluster = {"scheduler": self.dask.address, "max_workers": slots}
        file.write_text(yaml.safe_dump({"cluster": cluster}))
        for name in self.names:
            self.dask.start_worker(name, home.root / name, nanny=False)
        self.run("serve", "--detach")
        wait_for(
            "nodes", lambda: sorted(self.states().items()) == [(n, "ready") for n in self.names]
        )

    names = tuple(f"box{number}" for number in range(1, NODES + 1))

    def run(self, *args: str) -> str:
        """What perles prints."""
        done = subprocess.run(
            [PERLES, *args], env=self.environ, cwd=self.home.root, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def states(self) -> dict[str, str]:
        """How each node stands."""
        return {one["name"]: one["state"] for one in json.loads(self.run("nodes", "--json"))}

    def pipeline(self, name: str, tasks: list[dict[str, Any]], **more: Any) -> str:
        """Begin one; its id."""
        path = self.home.root / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "tasks": tasks, **more}))
        return self.run("run", "-d", str(path)).strip()

    def events(self, id: str, *types: str) -> list[dict[str, Any]]:
        """What happened in a workflow."""
        found = self.run("events", id, "--since", "0", "--json").splitlines()
        return [one for one in map(json.loads, found) if one["type"] in types]

    def engine(self) -> psutil.Process:
        """The engine."""
        return psutil.Process(json.loads(self.run("engine", "status", "--json"))["pid"])

    def node(self, name: str) -> psutil.Process:
        """A node."""
        return psutil.Process(int((self.home.root / name / "node.lock").read_text()))

    def close(self) -> None:
        """End all of it, as far as it was begun."""
        subprocess.run(
            [PERLES, "engine", "stop"], env=self.environ, capture_output=True, check=False
        )
        stop_nodes(self.home.root)
        self.dask.close()


@contextmanager
def site() -> Iterator[Site]:
    """Three nodes at work."""
    with bench() as home:
        made = Site(home)
        try:
            made.open()
            yield made
        finally:
            made.close()


def rows() -> Iterator[Row]:
    """The measurements."""
    with site() as made:
        idle = max(made.node(name).memory_info().rss for name in made.names) / MIB
        yield Row("memory of an idle node", idle, "MiB", "<= 45")
        ready = _ready_to_running(made)
        yield Row("task ready to running on a node, p50", percentile(ready, 0.5), "ms", "<= 60")
        yield Row("task ready to running on a node, p99", percentile(ready, 0.99), "ms", "<= 200")
        heard = _heard(made)
        yield Row("line on a node to event elsewhere, p50", percentile(heard, 0.5), "ms", "<= 150")
        yield Row("line on a node to event elsewhere, p99", percentile(heard, 0.99), "ms", "<= 150")
        share, lines = _many(made)
        yield Row(f"engine with {AGENTS} agents at 5 lines/s", share, "% of a core", "<= 25")
        yield Row("lines stored meanwhile", lines, "lines/s", f">= {0.9 * 5 * AGENTS:g}")


def _ready_to_running(made: Site) -> list[float]:
    """Milliseconds from the end of a task to its successor's process."""
    tasks: list[dict[str, Any]] = [{"key": f"t{i}", "run": "true"} for i in range(CHAIN)]
    for before, task in pairwise(tasks):
        task["after"] = [before["key"]]
    id = made.pipeline("chain", tasks)
    made.run("wait", id)
    found = made.events(id, "task.completed", "turn.started")
    ended, took = None, []
    for one in found:
        at = datetime.fromisoformat(one["at"]).timestamp()
        if one["type"] == "task.completed":
            ended = at
        elif ended is not None:
            took.append(1000 * (at - ended))
            ended = None
    return took


def _heard(made: Site) -> list[float]:
    """Milliseconds from a line that an agent prints to its event in another process."""
    program = made.home.root / "talk.py"
    program.write_text(TALK)
    python = subprocess.list2cmdline([str(Path(PERLES).with_name("python")), str(program)])
    id = made.pipeline("talk", [{"key": "a", "run": f"{python} 0.1"}])
    follow = subprocess.Popen(
        [PERLES, "events", id, "--follow", "--json"], env=made.environ, stdout=subprocess.PIPE
    )
    assert follow.stdout is not None
    took: list[float] = []
    for line in follow.stdout:
        now, one = time.time(), json.loads(line)
        if one["type"] == "worker.output":
            took.append(1000 * (now - float(one["payload"]["text"].split()[1])))
        if len(took) > 200:
            break
    kill_all(follow)
    follow.stdout.close()
    made.run("stop", id, "--force")
    return took[20:]


def _many(made: Site) -> tuple[float, float]:
    """The engine's share of a core while all agents talk, and the lines that it stores."""
    python = subprocess.list2cmdline(
        [str(Path(PERLES).with_name("python")), "-S", "-E", str(made.home.root / "talk.py")]
    )
    ids = []
    for first in range(0, AGENTS, IN_ONE):
        count = min(IN_ONE, AGENTS - first)
        tasks = [{"key": f"t{i}", "run": f"{python} 0.2"} for i in range(count)]
        ids.append(made.pipeline(f"many-{first}", tasks, workers=count))
    wait_for("agents", lambda: _running(made) >= AGENTS)
    engine = made.engine()
    time.sleep(5.0)
    before, cpu, began = _lines(made), _cpu(engine), time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    share, lines = (_cpu(engine) - cpu) / took, (_lines(made) - before) / took
    for id in ids:
        made.run("stop", id, "--force")
    return 100 * share, lines


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _running(made: Site) -> int:
    return sum(one["used"] for one in json.loads(made.run("nodes", "--json")))


def _lines(made: Site) -> int:
    from perles.store.sqlite.driver import dbapi

    connection = dbapi.connect(made.home.root / "perles.db")
    try:
        # Lines that were read together are one event.
        text = "json_extract(payload, '$.text')"
        lines = f"1 + length({text}) - length(replace({text}, char(10), ''))"
        query = f"SELECT sum({lines}) FROM events WHERE type = 'worker.output'"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()
