"""Transitions and events, durable, and how soon another process sees them."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO

import psutil

from perles.domain.states import WORKFLOW
from perles.store.events import journal
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.store.writer import Writer
from tests.benchmarks.bench import PERLES, Bench, Row, bench, fill, percentile

TRANSITIONS = 4000
PRODUCERS = 100
EVENTS_EACH = 600
FOLLOWED = 500
PAUSE = 0.02


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        yield Row("transition with its event, durable", _transitions(home), "1/s", ">= 2000")
        yield Row("events, 100 producers, durable", _events(home), "1/s", ">= 30000")
    with bench() as home:
        delays, cpu = follow(home, FOLLOWED)
        yield Row(
            "committed to seen by events --follow, p50", percentile(delays, 0.5), "ms", "<= 15"
        )
        yield Row("the same, p99", percentile(delays, 0.99), "ms", "<= 30")
        yield Row("the follower's CPU", cpu, "% of a core", "<= 1")


def _transitions(home: Bench) -> float:
    database = home.database()
    fill(database, TRANSITIONS, TRANSITIONS)

    async def measure() -> float:
        writer = Writer(database)
        writer.start()
        begun = time.perf_counter()
        for number in range(TRANSITIONS):
            await writer.write(lambda tx, n=number: fire(tx, WORKFLOW, f"wf-{n:08d}", "pause"))  # type: ignore[misc]
        taken = time.perf_counter() - begun
        writer.close()
        return TRANSITIONS / taken

    return asyncio.run(measure())


def _events(home: Bench) -> float:
    database = home.database()

    async def produce(writer: Writer) -> None:
        for _ in range(EVENTS_EACH):
            await writer.write(lambda tx: journal.append(tx, "worker.output", {"text": "x" * 200}))

    async def measure() -> float:
        writer = Writer(database)
        writer.start()
        begun = time.perf_counter()
        await asyncio.gather(*(produce(writer) for _ in range(PRODUCERS)))
        taken = time.perf_counter() - begun
        writer.close()
        return PRODUCERS * EVENTS_EACH / taken

    return asyncio.run(measure())


def follow(
    home: Bench, count: int, environ: Mapping[str, str] | None = None
) -> tuple[list[float], float]:
    """Delays in milliseconds, and the follower's share of a core while it followed.

    `environ` is that of the follower, where it is not the home's.
    """
    database = home.database()
    with database.reader() as opened:
        ((last,),) = opened.execute("SELECT coalesce(max(seq), 0) FROM events")
    follower = psutil.Popen(
        [PERLES, "events", "--follow", "--since", str(last), "--json"],
        env=environ or home.environ,
        stdout=subprocess.PIPE,
    )
    delays: list[float] = []
    database.write(_stamp)
    follower.stdout.readline()  # it is there
    reader = threading.Thread(target=_read, args=(follower.stdout, delays))
    reader.start()
    begun, used = time.perf_counter(), sum(follower.cpu_times()[:2])
    for _ in range(count):
        database.write(_stamp)
        time.sleep(PAUSE)
    wall, used = time.perf_counter() - begun, sum(follower.cpu_times()[:2]) - used
    follower.terminate()
    follower.wait()
    reader.join()
    return delays, 100 * used / wall


def _read(stdout: IO[bytes], delays: list[float]) -> None:
    for line in stdout:
        delays.append((time.time() - json.loads(line)["payload"]["at"]) * 1000)


def _stamp(tx: Tx) -> None:
    journal.append(tx, "engine.started", {"at": time.time()})
