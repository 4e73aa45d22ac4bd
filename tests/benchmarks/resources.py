"""Admission among many, leases a second, and how soon a freed slot is taken."""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime

import yaml

from perles.config.model import ResourcePolicy
from perles.domain.clock import SystemClock, to_text
from perles.domain.errors import LimitReachedError
from perles.engine.resources import leases, priority_queue
from perles.store import waiting_line
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.writer import Writer
from tests.benchmarks.bench import Bench, Row, bench, fill
from tests.benchmarks.running import engine_of

PENDING = 10_000
DECISIONS = 200
LEASES = 3000
AGENTS = 10
FREED = 20


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        yield Row("admission decision, 10,000 pending", _decision(home), "ms", "<= 2")
    with bench() as home:
        yield Row("lease taken and released, durable, 10 agents", _leases(home), "1/s", ">= 1000")
    with bench() as home:
        delays = _freed(home)
        yield Row("freed slot to the next running, p50", statistics.median(delays), "ms", "<= 100")
        yield Row("the same, longest", max(delays), "ms", "<= 100")


def _decision(home: Bench) -> float:
    """Who is next, and whether there is room for it; the median in milliseconds."""
    database = home.database()
    now = to_text(SystemClock().now())

    def insert(tx: Tx) -> None:
        for number in range(PENDING):
            tx.insert(
                Workflow,
                id=f"wf-{number:08d}",
                template_id="pipeline",
                name="w",
                state="pending",
                priority=number % 3,
                work_dir="/tmp",
                start_requested_at=f"{now[:20]}{number % 1000:03d}Z",
            )

    database.write(insert)
    times = []
    with database.reader() as reader:
        for _ in range(DECISIONS):
            begun = time.perf_counter()
            (first,) = reader.all(Workflow, waiting_line.WAITING_WORKFLOWS, most=1)
            priority_queue.need_slot(reader, ResourcePolicy(), first)
            times.append((time.perf_counter() - begun) * 1000)
        last = reader.need(Workflow, f"wf-{PENDING - 1:08d}")
        begun = time.perf_counter()
        try:
            priority_queue.need_slot(reader, ResourcePolicy(), last)
        except LimitReachedError:
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def _leases(home: Bench) -> float:
    """Each agent takes and releases, one after the other; commits are shared, as in the engine."""
    database = home.database()
    fill(database, AGENTS, AGENTS)

    async def use(writer: Writer, agent: int) -> None:
        workflow = f"wf-{agent - 1:08d}"
        for _ in range(LEASES // AGENTS):
            await writer.write(
                lambda tx: leases.acquire(tx, "ai_call", AGENTS, workflow, agent_id=agent)
            )
            await writer.write(lambda tx: leases.release_agent(tx, agent, "ai_call"))

    async def measure() -> float:
        writer = Writer(database)
        writer.start()
        begun = time.perf_counter()
        await asyncio.gather(*(use(writer, agent) for agent in range(1, AGENTS + 1)))
        taken = time.perf_counter() - begun
        writer.close()
        return LEASES / taken

    return asyncio.run(measure())


def _freed(home: Bench) -> list[float]:
    """From one workflow's end to the next one's start, by the times in the journal."""
    file = home.root / "quick.yaml"
    file.write_text(yaml.safe_dump({"name": "q", "tasks": [{"key": "a", "run": "true"}]}))
    ids = [home.run("create", str(file)).strip() for _ in range(FREED)]
    one = {"PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKFLOWS_RUNNING": "1"}
    with engine_of(home, **one):
        home.run("start", *ids)
        while {row["state"] for row in json.loads(home.run("list", "--json"))} != {"completed"}:
            time.sleep(0.1)
    events = [
        json.loads(line)
        for line in home.run(
            "events", "--since", "0", "--json", "--type", "workflow.*"
        ).splitlines()
    ]
    at = {(event["type"], event["workflow_id"]): event["at"] for event in events}
    started = sorted(when for (type, _), when in at.items() if type == "workflow.started")
    ended = sorted(when for (type, _), when in at.items() if type == "workflow.completed")
    return [_ms(start, end) for start, end in zip(started[1:], ended, strict=False)]


def _ms(later: str, earlier: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000
