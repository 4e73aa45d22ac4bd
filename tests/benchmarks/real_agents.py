"""The engine's own share of a core while real agent CLIs work: `run real-agents`, by itself.

It is not part of `make bench`: it needs npm (as `make test-agents` does), some 3 GB of
memory and an idle machine. The model is scripted and answers after two seconds.
"""

import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench import PERLES, Bench, Row, bench
from tests.e2e import clis, scripts
from tests.e2e.model import Asked, Model, Reply

CLI = "codex"
AGENTS = 20
STEPS = 8
"""Tool calls of each agent before it reports."""
MODEL_SECONDS = 2.0
LOOK_SECONDS = 0.2
TICKS = os.sysconf("SC_CLK_TCK")


def rows() -> Iterator[Row]:
    """The measurements."""
    program = clis.install(CLI)
    with Model(SlowWorkers()) as model, bench() as home:
        most, share = _measure(home, model, program)
    yield Row(f"agents of {CLI} at once", most, "agents", f">= {AGENTS}")
    yield Row(f"the engine's share of a core with {AGENTS} of them", 100 * share, "%", "<= 10")


class SlowWorkers:
    """Each calls a tool again and again, every time after some thought, then reports."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> Reply:
        """What the model says; the system prompt tells to whom."""
        if asked.after.endswith("report_implementation_complete"):
            return Reply(say="reported")
        (who,) = set(re.findall(r"You are (worker-\d+)", asked.system))
        self._calls[who] += 1
        if self._calls[who] > STEPS:
            return scripts.report()
        return Reply(call="signal_ready", wait=MODEL_SECONDS)


def _measure(home: Bench, model: Model, program: Path) -> tuple[int, float]:
    """The most agents that lived at once, and the engine's share of a core meanwhile."""
    clis.write_config(home.root / "config.yaml", model.url, home.root / "cli-home", {CLI: program})
    tasks = [{"key": f"t{n}", "prompt": "Work.", "worker": CLI} for n in range(AGENTS)]
    file = home.root / "many.yaml"
    file.write_text(json.dumps({"name": "many", "workers": AGENTS, "tasks": tasks}))
    policy = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__"
    environ = {
        **home.environ,
        "PERLES_CONFIG": str(home.root / "config.yaml"),
        "SCRIPTED_KEY": clis.KEY,
        f"{policy}MAX_AI_CALLS": str(AGENTS),
    }
    engine = subprocess.Popen([PERLES, "serve"], env=environ, cwd=home.root)
    run = subprocess.Popen(
        [PERLES, "run", str(file)], env=environ, cwd=home.root, stdout=subprocess.DEVNULL
    )
    try:
        return _watch(home, engine.pid, run)
    finally:
        run.wait()
        engine.terminate()
        engine.wait()


def _watch(home: Bench, engine: int, run: "subprocess.Popen[bytes]") -> tuple[int, float]:
    """Look until the run ends; only the time in which all agents lived is counted."""
    most, share, begun = 0, 0.0, (0.0, 0.0)
    while run.poll() is None:
        there = _agents(home)
        now = (time.monotonic(), _seconds(engine))
        if there > most or begun == (0.0, 0.0):
            most, begun = there, now
        elif there == most and now[0] > begun[0]:
            share = (now[1] - begun[1]) / (now[0] - begun[0])
        time.sleep(LOOK_SECONDS)
    if run.returncode:
        raise RuntimeError(f"the agents failed: {home.root / 'engine.log'}")
    return most, share


def _agents(home: Bench) -> int:
    found = home.run("agents", "--json")
    return sum(agent["pid"] is not None for agent in json.loads(found) if agent["role"] == "worker")


def _seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
