"""I12 with real processes: many workflows, an engine that is killed at random, and a sampler."""

import json
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from perles.controlplane.plane import ControlPlane
from perles.domain.specs import WorkflowSpec
from perles.store.place import open_readonly
from perles.store.sqlite.driver import dbapi
from tests.integration import scripted_provider
from tests.integration.cli import Home

WORKFLOWS = 40
LIMITS = {"workflow": 5, "worker": 10, "ai_call": 5}
SAMPLE_SECONDS = 0.02
KILLS = 4
SEED = 6


class Sampler(threading.Thread):
    """Looks at the database and at /proc every 20 ms, and keeps the most that it saw."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self._home = home
        self._ended = threading.Event()
        self.most: Counter[str] = Counter()
        self.samples = self.ended_workflows = 0

    def run(self) -> None:
        """Sample until told to end."""
        connection = open_readonly(self._home.database)
        while not self._ended.is_set():
            found = Counter(dict(connection.execute(_LEASES).fetchall()))
            found["turns"] = connection.execute(_LIVE_TURNS).fetchone()[0]
            found["running"] = connection.execute(_RUNNING).fetchone()[0]
            found["processes"] = len(_turns_in_proc(self._home))
            self.most = Counter({key: max(self.most[key], found[key]) for key in found | self.most})
            self.ended_workflows = connection.execute(_ENDED).fetchone()[0]
            self.samples += 1
            sleep(SAMPLE_SECONDS)
        connection.close()

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


_LEASES = "SELECT kind, count(*) FROM leases GROUP BY kind"
_LIVE_TURNS = "SELECT count(*) FROM turns WHERE status IN ('starting', 'running')"
_ENDED = "SELECT count(*) FROM workflows WHERE state = 'completed'"
_RUNNING = "SELECT count(*) FROM workflows WHERE state = 'running'"


def _turns_in_proc(home: Home) -> set[bytes]:
    """The turns of this home that have a process now, by the mark in its environment."""
    mark, found = f"PWD={home.work}".encode(), set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                environ = Path(entry.path, "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it ended meanwhile
            if mark in environ:
                found |= {line for line in environ if line.startswith(b"PERLES_TURN=")}
    return found


def _engine(home: Home) -> "subprocess.Popen[str]":
    """An engine that ends when all is done."""
    return subprocess.Popen(
        home.argv("serve", "--exit-when-idle"),
        cwd=home.work,
        env=home.environ,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_no_limit_is_ever_exceeded_while_the_engine_is_killed_at_random(home: Home) -> None:
    scripted_provider.install(home)
    policy = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_"
    home.environ |= {f"{policy}WORKFLOWS_RUNNING": "5", f"{policy}WORKERS": "10"}
    home.environ |= {f"{policy}AI_CALLS": "5", "PWD": str(home.work)}
    file = home.pipeline("p", [{"key": k, "run": "true"} for k in "ab"], workers=2)
    ids = _create(home, file)
    sampler, chooser = Sampler(home), random.Random(SEED)
    sampler.start()

    engine = _engine(home)
    kills, deadline = 0, monotonic() + 600
    while engine.poll() is None:
        assert monotonic() < deadline, home.perles("list").stdout
        if kills < KILLS and sampler.ended_workflows >= (kills + 1) * 5:
            sleep(chooser.uniform(0.0, 0.5))
            engine.send_signal(signal.SIGKILL)
            engine.wait()
            kills += 1
            engine = _engine(home)
        sleep(0.05)
    sampler.end()

    rows: list[dict[str, Any]] = home.json("list", "--all", "--json")
    assert Counter(row["state"] for row in rows) == {"completed": len(ids)}
    assert kills == KILLS
    for kind, limit in LIMITS.items():
        assert sampler.most[kind] == limit, (kind, sampler.most)
    assert sampler.most["running"] <= LIMITS["workflow"]
    assert sampler.most["turns"] <= LIMITS["ai_call"]
    assert 1 <= sampler.most["processes"] <= LIMITS["ai_call"]
    assert sampler.samples > 100
    assert {row["used"] for row in json.loads(home.perles("resources", "--json").stdout)} == {0}


def _create(home: Home, file: Path) -> list[str]:
    """All workflows, as scripted agents would run them, in line for a start."""
    plane = ControlPlane(home.root)
    args, work_dir = {"file": str(file)}, str(home.work)
    spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=work_dir)
    ids = [plane.create(spec) for _ in range(WORKFLOWS)]
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute(
            "UPDATE workflows SET provider = 'scripted', worker_provider = 'scripted', "
            "start_requested_at = '2026-01-01T00:00:00.000Z'"
        )
        connection.execute("UPDATE tasks SET worker = 'scripted'")
    connection.close()
    return ids
