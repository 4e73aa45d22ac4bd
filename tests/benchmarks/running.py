"""What running costs: CPU a task, and the engine's memory."""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import yaml

from tests.benchmarks.bench import PERLES, Bench, Row, bench

TASKS = 100
WORKERS = 8
WORKFLOWS = 10


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        yield Row("CPU a task, 100 tasks `true`, 8 workers", _task_cpu(home), "ms", "<= 60")
    with bench() as home:
        yield Row("engine's memory, 10 running workflows", _memory(home), "MiB", "<= 80")


def _task_cpu(home: Bench) -> float:
    """CPU of the engine, its agents, their commands, and `perles run`, in milliseconds a task."""
    tasks = [{"key": f"t{number}", "run": "true"} for number in range(TASKS)]
    file = home.root / "many.yaml"
    file.write_text(yaml.safe_dump({"name": "many", "workers": WORKERS, "tasks": tasks}))
    with engine_of(home) as engine:
        # From here on: starting an engine, and asking whether it is there, is no task's cost.
        before = _cpu(engine)
        home.run("run", str(file))
        return (_cpu(engine) - before) * 1000 / TASKS


def _memory(home: Bench) -> float:
    file = home.root / "sleep.yaml"
    file.write_text(yaml.safe_dump({"name": "s", "tasks": [{"key": "a", "run": "sleep 1000"}]}))
    with engine_of(home) as engine:
        ids = [home.run("create", str(file)).strip() for _ in range(WORKFLOWS)]
        home.run("start", *ids)
        while sum(row["workers"] for row in json.loads(home.run("list", "--json"))) < WORKFLOWS:
            time.sleep(0.1)
        return float(engine.memory_info().rss) / 2**20


@contextmanager
def engine_of(home: Bench, **environ: str) -> Iterator[psutil.Popen]:
    """An engine that takes commands, for as long as this lasts."""
    engine = psutil.Popen(
        [PERLES, "serve", "--foreground"],
        env={**home.environ, **environ},
        stderr=subprocess.DEVNULL,
    )
    while subprocess.run(
        [PERLES, "engine", "status"], env=home.environ, capture_output=True, check=False
    ).returncode:
        time.sleep(0.1)
    try:
        yield engine
    finally:
        os.kill(engine.pid, signal.SIGTERM)
        engine.wait()


def _cpu(engine: psutil.Popen) -> float:
    """Seconds of processor of the engine, its ended agents, and our ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + float(sum(engine.cpu_times()[:4]))
