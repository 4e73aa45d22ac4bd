"""Transitions and events on a PostgreSQL server beside, which flushes each commit to the disk."""

import asyncio
import os
import time
from collections.abc import Iterator
from unittest import mock

from perles.domain.states import WORKFLOW
from perles.store import leadership, migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.transition import fire
from perles.store.writer import Writer
from tests.benchmarks.bench import Row, bench, fill
from tests.postgres import server

TRANSITIONS = 1000
PRODUCERS = 100
EVENTS_EACH = 100
_DURABLE = {"fsync": "on", "full_page_writes": "on"}


def rows() -> Iterator[Row]:
    """The measurements; none where no server is installed."""
    if not server.is_installed():
        return
    with mock.patch.dict(server._SETTINGS, _DURABLE), server.running() as running:
        running.run("CREATE DATABASE bench")
        with mock.patch.dict(os.environ, {"PERLES_DATABASE": running.url("bench")}):
            yield from _rows()


def _rows() -> Iterator[Row]:
    with bench() as home:
        path = home.root / "perles.db"
        migrate.ensure(path)
        database = Database(path)
        leadership.take(database)
        fill(database, TRANSITIONS, TRANSITIONS)
        each, together = asyncio.run(_measure(database))
        database.dispose()
    yield Row("PostgreSQL: transition with its event, durable", each, "1/s", ">= 500")
    yield Row("PostgreSQL: events, 100 producers, durable", together, "1/s", ">= 20000")


async def _measure(database: Database) -> tuple[float, float]:
    writer = Writer(database)
    writer.start()
    begun = time.perf_counter()
    for number in range(TRANSITIONS):
        await writer.write(lambda tx, n=number: fire(tx, WORKFLOW, f"wf-{n:08d}", "pause"))  # type: ignore[misc]
    each = TRANSITIONS / (time.perf_counter() - begun)

    async def produce() -> None:
        for _ in range(EVENTS_EACH):
            await writer.write(
                lambda tx: journal.append(
                    tx, "worker.output", {"text": "x" * 80}, workflow_id="wf-00000001"
                )
            )

    begun = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(PRODUCERS)))
    together = PRODUCERS * EVENTS_EACH / (time.perf_counter() - begun)
    writer.close()
    return each, together
