"""What pipelines of commands cost: few tasks and thousands, side by side and one after the other.

`python -m tests.benchmarks.run pipelines` takes some minutes.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import psutil

from tests.benchmarks.bench import Bench, Row, bench
from tests.benchmarks.running import engine_of

FEW = 100
CHAIN = 40
MANY = 10_000
WORKERS = 8


class Run(NamedTuple):
    """What a pipeline took from its start to its end: CPU of all processes, wall, in seconds."""

    cpu: float
    seconds: float


def rows() -> Iterator[Row]:
    """The measurements."""
    few, many = _run(FEW), _run(MANY)
    each = few.cpu * 1e3 / FEW
    yield Row(f"CPU a task, {FEW} tasks `true`, {WORKERS} workers", each, "ms", "<= 8")
    yield Row(f"the same, {MANY} tasks", many.cpu * 1e3 / MANY, "ms", "<= 8")
    yield Row("the second over the first", many.cpu * 1e3 / MANY / each, "x", "<= 1.2")
    for count in (CHAIN, MANY):
        seconds = _run(count, deep=True).seconds
        yield Row(f"a chain of {count}", count / seconds, "tasks/s", ">= 60")
    for name, seconds in _others():
        yield Row(f"{MANY} tasks, wall over {name}", many.seconds / seconds, "x", "<= 3")


def _run(count: int, *, deep: bool = False) -> Run:
    """Run so many tasks `true` by an engine that has run some before."""
    with bench() as home, engine_of(home) as engine:
        home.run("run", _file(home, "warm", 8, deep=False))
        file = _file(home, "many", count, deep=deep)
        id = home.run("create", file).strip()
        before = _cpu(engine)
        home.run("start", id)
        while json.loads(home.run("show", id, "--json"))["state"] != "completed":
            time.sleep(max(0.2, count / 1000))
        shown = json.loads(home.run("show", id, "--json"))
        begun, ended = (datetime.fromisoformat(shown[at]) for at in ("started_at", "ended_at"))
        return Run(_cpu(engine) - before, (ended - begun).total_seconds())


def _file(home: Bench, name: str, count: int, *, deep: bool) -> str:
    tasks: list[dict[str, object]] = [{"key": f"t{n}", "run": "true"} for n in range(count)]
    if deep:
        for number in range(1, count):
            tasks[number]["after"] = [f"t{number - 1}"]
    file = home.root / f"{name}.json"
    file.write_text(json.dumps({"name": name, "workers": WORKERS, "tasks": tasks}))
    return str(file)


def _cpu(engine: psutil.Popen) -> float:
    """Seconds of processor of the engine, what forks for it, and all that these waited for."""
    family = [engine, *engine.children(recursive=True)]
    return sum(sum(one.cpu_times()[:4]) for one in family)


def _others() -> Iterator[tuple[str, float]]:
    """How long others take for the same commands, by the same shell, eight at a time."""
    with bench() as home:
        names = " ".join(f"t{n}" for n in range(MANY))
        makefile = home.root / "Makefile"
        makefile.write_text(
            "SHELL := /bin/bash\n.SHELLFLAGS := -eo pipefail -c\n"
            f"all: {names}\n{names}:\n\t@true;:\n.PHONY: all {names}\n"
        )
        yield f"make -j{WORKERS}", _timed(["make", "-s", f"-j{WORKERS}", "-C", str(home.root)], "")
        if shutil.which("parallel") is not None:
            lines = "true\n" * MANY
            yield "parallel", _timed(["parallel", "-j", str(WORKERS)], lines)


def _timed(argv: list[str], given: str) -> float:
    begun = time.monotonic()
    subprocess.run(argv, input=given.encode(), check=True, capture_output=True)
    return time.monotonic() - begun
