"""Three machines where everything is killed once, with an engine that stands by on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from perles.executor.local.processes import with_variable
from perles.store.reads.connection import reading
from tests.cluster.dask_cluster import kill_all, wait_for
from tests.machines.site import COUNT, Site, three_machines
from tests.postgres.server import Server, is_installed, running

pytest.importorskip("distributed")
pytest.importorskip("psycopg")

TASKS, LINES = 10, 20
PATIENT = 120
"""The ttl, in seconds: what is killed here is back before it, so that nothing may run twice."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    if not is_installed():
        pytest.skip("NO POSTGRESQL HERE: apt-get install postgresql")
    with running() as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Iterator[Site]:
    """Three machines; no engine yet."""
    name = f"machines_{os.getpid()}_{abs(hash(tmp_path)) % 10**8}"
    server.run(f"CREATE DATABASE {name}")
    with three_machines() as machines:
        made = Site(tmp_path, machines, server.url(name), PATIENT)
        try:
            yield made
        finally:
            made.close()


class Sampler(threading.Thread):
    """Looks each 20 ms for two turns of one agent of a workflow, on any machine."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(daemon=True)
        self.ours, self.over = workflow_id.encode(), threading.Event()
        self.seen, self.doubled = 0, set[str]()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.02):
            pids = [pid for pid, id in with_variable("PERLES_WORKFLOW") if id == self.ours]
            # Each turn has a session of its own; all that it starts is in that.
            pairs = {(_agent(pid), _session(pid)) for pid in pids}
            found = Counter(agent for agent, session in pairs if agent and session)
            self.seen = max(self.seen, len(found))
            self.doubled |= {agent for agent, count in found.items() if count > 1}

    def stop(self) -> None:
        """Look no more. Raises `AssertionError` where one was seen twice."""
        self.over.set()
        self.join()
        assert self.seen > 1
        assert not self.doubled


def _agent(pid: int) -> str:
    try:
        return psutil.Process(pid).environ().get("PERLES_AGENT", "")
    except psutil.Error:
        return ""


def _session(pid: int) -> int:
    """The session of a process that lives; 0 where it does not."""
    try:
        state, *_, session = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:4]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else int(session)


class Engines:
    """Engines of a site, each of which stands by until it leads."""

    def __init__(self, site: Site) -> None:
        self.site, self.made = site, list[subprocess.Popen[bytes]]()

    def start(self) -> subprocess.Popen[bytes]:
        """One more."""
        home = self.site.home
        home.root.mkdir(mode=0o700, exist_ok=True)
        with (home.root / f"engine-{len(self.made)}.log").open("wb") as log:
            command = [sys.executable, "-m", "perles", "serve", "--standby"]
            one = subprocess.Popen(command, env=home.environ, cwd=home.work, stdout=log, stderr=log)
        self.made.append(one)
        return one

    def leader(self) -> int | None:
        """The process that leads."""
        query = "SELECT pid FROM engine WHERE ended_at IS NULL"
        with reading(self.site.home.database) as connection:
            row = connection.execute(query).fetchone() if connection else None
        return None if row is None else int(row[0])

    def close(self) -> None:
        """End all of them."""
        for one in self.made:
            one.kill()
            one.wait()


@pytest.fixture
def engines(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engines]:
    """None yet."""
    monkeypatch.setenv("PERLES_DATABASE", site.home.environ["PERLES_DATABASE"])
    made = Engines(site)
    yield made
    made.close()


def _run(key: str, effects: Path) -> str:
    return (
        f"echo {key} >>{effects}/{key}; echo {key} >out-{key}; i=0; "
        f"while [ $i -lt {LINES} ]; do echo {key}-$i; i=$((i + 1)); sleep 0.3; done"
    )


def test_what_is_killed_on_three_machines_loses_and_doubles_nothing(
    site: Site, engines: Engines, server: Server
) -> None:
    home, effects = site.home, site.root / "effects"
    effects.mkdir()
    first = engines.start()
    wait_for("leader", lambda: engines.leader() == first.pid)
    site.wait_for_nodes()
    second = engines.start()
    wait_for("standby", lambda: "standing by" in (home.root / "engine-1.log").read_text())
    keys = [f"t{i}" for i in range(TASKS)]
    tasks: list[dict[str, Any]] = [{"key": key, "run": _run(key, effects)} for key in keys]
    id = home.perles("run", "-d", home.pipeline("storm", tasks, workers=6)).stdout.strip()
    sampler = Sampler(id)
    sampler.start()
    wait_for("work", lambda: len(list(effects.iterdir())) >= 6)

    os.kill(site.node_pid(1), signal.SIGKILL)
    kill_all(site.workers[2])  # a nanny and its worker
    site.start_worker(2)
    for child in psutil.Process(site.workers[3].pid).children():
        child.kill()  # its nanny starts the next one
    server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND application_name NOT LIKE 'perles engine lock%'"
    )
    wait_for("more work", lambda: len(list(effects.iterdir())) >= 8)
    assert first.poll() is None, "a lost connection ended it"
    began = time.monotonic()
    first.kill()
    wait_for("next leader", lambda: engines.leader() == second.pid)
    took = time.monotonic() - began
    print(f"take-over: {took:.2f} s at load {os.getloadavg()[0]:.1f}")
    assert site.dask.scheduler is not None
    kill_all(site.dask.scheduler)
    site.dask.start_scheduler()
    for number in range(1, COUNT + 1):
        kill_all(site.workers[number])
        site.start_worker(number)

    ended = home.perles("wait", id, "--timeout", "300s", timeout=320)
    sampler.stop()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for key in keys:
        assert (effects / key).read_text() == f"{key}\n", "it ran twice, or never"
        assert (home.work / f"out-{key}").read_text() == f"{key}\n"
    outputs = [e["payload"]["text"] for e in home.events() if e["type"] == "worker.output"]
    said = [line for text in outputs for line in text.split("\n")]
    for key in keys:
        ours = [line for line in said if line.startswith(f"{key}-")]
        assert ours == [f"{key}-{i}" for i in range(LINES)]
    _is_the_same_in_psql(site, server, id)


def _is_the_same_in_psql(site: Site, server: Server, id: str) -> None:
    name = site.home.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    found = server.run(
        f"SELECT key || ' ' || status FROM tasks WHERE workflow_id = '{id}' ORDER BY key", name
    )
    ours = site.home.json("tasks", id, "--json")
    assert sorted(found.split("\n")[:-1]) == sorted(f"{t['key']} {t['status']}" for t in ours)
    assert server.run(f"SELECT state FROM workflows WHERE id = '{id}'", name) == "completed\n"
