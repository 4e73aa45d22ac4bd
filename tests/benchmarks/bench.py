"""What the benchmarks share: a home, filled databases, and the table."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from perles.domain.clock import SystemClock, to_text
from perles.store import migrate
from perles.store.database import Database
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

PERLES = str(Path(sys.executable).with_name("perles"))


class Row(NamedTuple):
    """One line of the table. `goal` is `<= N` or `>= N`."""

    name: str
    value: float
    unit: str
    goal: str

    def met(self) -> bool:
        """Whether the value meets the goal."""
        sign, _, number = self.goal.partition(" ")
        return self.value <= float(number) if sign == "<=" else self.value >= float(number)


class Bench(NamedTuple):
    """A home folder for a measurement."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes; limits wide enough for what is measured."""
        policy = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__"
        return {
            **os.environ,
            "PERLES_HOME": str(self.root),
            f"{policy}MAX_WORKFLOWS_RUNNING": "50",
            f"{policy}MAX_WORKERS": "100",
            f"{policy}PORT_RANGE_START": "31000",
            f"{policy}PORT_RANGE_END": "31200",
        }

    def run(self, *args: str) -> str:
        """Run perles; what it printed."""
        done = subprocess.run(
            [PERLES, *args], env=self.environ, cwd=self.root, capture_output=True, check=True
        )
        return done.stdout.decode()

    def database(self) -> Database:
        """The database, made where it is not there."""
        path = self.root / "perles.db"
        migrate.ensure(path)
        return Database(path)


@contextmanager
def bench() -> Iterator[Bench]:
    """A home that is gone afterwards."""
    with TemporaryDirectory(prefix="perles-bench-") as folder:
        yield Bench(Path(folder))


def fill(database: Database, count: int, running: int) -> None:
    """`count` workflows with a coordinator and three tasks each, of which the newest run."""
    now = to_text(SystemClock().now())

    def insert(tx: Tx) -> None:
        for number in range(count):
            state = "running" if number >= count - running else "completed"
            workflow_id = f"wf-{number:08d}"
            tx.insert(
                Workflow,
                id=workflow_id,
                template_id="pipeline",
                name=f"workflow {number}",
                state=state,
                work_dir="/tmp",
                started_at=now,
                created_at=f"2026-01-01T00:00:00.{number:06d}Z",
            )
            tx.insert(
                Agent,
                workflow_id=workflow_id,
                name="coordinator",
                role="coordinator",
                provider="builtin",
                status="ready",
            )
            for key in ("a", "b", "c"):
                tx.insert(Task, workflow_id=workflow_id, key=key, title=key, status="done")

    database.write(insert)


def process_ms(argv: list[str], environ: dict[str, str], runs: int = 15) -> float:
    """The median of whole-process times, in milliseconds, output in a pipe."""
    times = []
    for _ in range(runs + 2):
        begun = time.perf_counter()
        subprocess.run(argv, env=environ, capture_output=True, check=False)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[2:])


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
