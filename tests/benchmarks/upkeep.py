"""What writers feel while a thousand workflows are pruned beside a busy engine. Run it idle."""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

import yaml

from perles.store.database import Database
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from tests.benchmarks.bench import PERLES, Bench, Row, bench, fill, percentile

WORKFLOWS: Final = 1000
EVENTS: Final = 1000
PIECE: Final = 20
WRITES_A_SECOND: Final = 100


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        waits, seconds = _prune(home)
        name = "prune of 1,000 workflows with 1,000,000 events"
        yield Row(f"{name}: longest write beside", max(waits), "ms", "<= 100")
        yield Row("the same, p99", percentile(waits, 0.99), "ms", "<= 50")
        yield Row("the same, it takes", seconds, "s", "<= 300")


def _prune(home: Bench) -> tuple[list[float], float]:
    """Milliseconds of each write while an engine works and the prune runs; its seconds."""
    database = home.database()
    _fill(database)
    pipeline = home.root / "busy.yaml"
    command = "i=0; while [ $i -lt 100000 ]; do echo line $i; sleep 0.01; i=$((i+1)); done"
    tasks = [{"key": f"t{number}", "run": command} for number in range(4)]
    pipeline.write_text(yaml.safe_dump({"name": "busy", "workers": 4, "tasks": tasks}))
    home.run("serve", "--detach")
    try:
        home.run("start", home.run("create", str(pipeline)).strip())
        return _writes_beside_prune(home, database)
    finally:
        subprocess.run([PERLES, "stop", "busy", "--force"], env=home.environ, check=False)
        home.run("engine", "stop")
        database.dispose()


def _writes_beside_prune(home: Bench, database: Database) -> tuple[list[float], float]:
    waits: list[float] = []
    argv = [PERLES, "maintenance", "prune", "--older-than", "1d"]
    begun = time.monotonic()
    with subprocess.Popen(argv, env=home.environ, stdout=subprocess.DEVNULL) as prune:
        while prune.poll() is None:
            start = time.perf_counter()
            database.write(_one)
            waits.append((time.perf_counter() - start) * 1000)
            time.sleep(1 / WRITES_A_SECOND)
        assert prune.returncode == 0
    return waits, time.monotonic() - begun


def _one(tx: Tx) -> None:
    journal.append(tx, "engine.reconciled", {"text": "x" * 200})


def _fill(database: Database) -> None:
    fill(database, WORKFLOWS, 0)
    payload = {"kind": "text", "text": "y" * 200}

    def insert(tx: Tx, first: int) -> None:
        for number in range(first, first + PIECE):
            id = f"wf-{number:08d}"
            tx.update(Workflow, id, ended_at="2026-01-02T00:00:00.000Z")
            for _ in range(EVENTS):
                journal.append(tx, "worker.output", payload, workflow_id=id)

    for first in range(0, WORKFLOWS, PIECE):
        database.write(partial(insert, first=first))
