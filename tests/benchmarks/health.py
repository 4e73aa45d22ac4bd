"""What it costs to know who is stuck: a sweep over many, and an engine with silent agents."""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from typing import Never

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.clock import ManualClock, SystemClock
from perles.engine.commands.queue import Commands
from perles.engine.health.monitor import HealthMonitor
from perles.engine.services import Services
from perles.engine.turns.runner import Turns
from perles.executor.local.executor import LocalExecutor
from perles.store.database import Database
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.transaction import Tx
from perles.store.writer import Writer
from tests.benchmarks.bench import Bench, Row, bench, fill
from tests.benchmarks.supervising import cpu_of_silent_agents

WORKFLOWS, RUNNING = 10_000, 1_000
EVENTS, NEWS = 200_000, 500
SWEEPS = 30
INTERVAL = 10.0


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        took, queries = asyncio.run(_sweeps(home))
        yield Row("health sweep, 10,000 workflows, 1,000 running", took, "ms", "<= 20")
        yield Row("its queries", queries, "", "<= 1")
    with bench() as home:
        used = cpu_of_silent_agents(home, RUNNING // 10)
        yield Row("engine idle, 100 running, silent workflows", used, "% of a core", "<= 1")


async def _sweeps(home: Bench) -> tuple[float, float]:
    """The median of a sweep's processor time in the engine's thread, in ms; its queries.

    All are silent but `NEWS` that print a line between two sweeps.
    """
    clock = ManualClock(SystemClock().now())
    database = Database(home.database().path, clock)
    agents = _fill(database)
    times, counts = [], []
    writer = Writer(database)
    writer.start()
    with database.reader() as reader:
        context = Services(
            paths=Paths(home.root),
            config=Config(),
            database=database,
            writer=writer,
            reader=reader,
            environ={},
            executor=LocalExecutor(),
            reload=_no_reload,
            kick=lambda: None,
        )
        context.turns = Turns(context)
        monitor = HealthMonitor(context, Commands(context))
        asked: list[str] = []
        reader._connection.set_trace_callback(asked.append)
        for sweep in range(SWEEPS):
            clock.advance(INTERVAL)
            asked.clear()
            begun = time.thread_time()
            await monitor.sweep()
            times.append((time.thread_time() - begun) * 1000)
            counts.append(len(asked))
            news = random.Random(sweep).sample(agents, NEWS)
            await writer.write(lambda tx, news=news: _print(tx, news))  # type: ignore[misc]
    writer.close()
    database.dispose()
    return statistics.median(times), statistics.median(counts)


async def _no_reload() -> Never:
    raise AssertionError("nobody asked for that")


def _fill(database: Database) -> list[tuple[str, int]]:
    """Workflows of which the newest run, each of those with a worker that works; the workers."""
    fill(database, WORKFLOWS, RUNNING)
    ids = [f"wf-{number:08d}" for number in range(WORKFLOWS - RUNNING, WORKFLOWS)]
    workers: list[tuple[str, int]] = []

    def insert(tx: Tx) -> None:
        for id in ids:
            values = {"role": "worker", "provider": "builtin", "status": "working"}
            agent = tx.insert(Agent, workflow_id=id, name="worker-1", **values)
            workers.append((id, agent))
        for number in range(EVENTS):
            _print(tx, [workers[number % RUNNING]])

    database.write(insert)
    return workers


def _print(tx: Tx, agents: list[tuple[str, int]]) -> None:
    for id, agent in agents:
        payload = {"kind": "text", "text": "a line of output"}
        journal.append(tx, "worker.output", payload, workflow_id=id, agent_id=agent)
        tx.update(Agent, agent, last_activity_at=tx.now)
