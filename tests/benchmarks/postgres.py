"""What a PostgreSQL server beside, which flushes each commit to the disk, makes of it."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import psutil

from perles.domain.commands import Stay
from perles.domain.states import WORKFLOW
from perles.store import leadership, migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.transition import fire
from perles.store.writer import Writer
from perles.workflows.commands import append_for_engine
from tests.benchmarks.bench import PERLES, Bench, Row, bench, fill, percentile
from tests.benchmarks.writing import follow
from tests.postgres import server

TRANSITIONS = 1000
PRODUCERS = 100
EVENTS_EACH = 100
FOLLOWED = 200
ONE_WAY = 0.05
"""Seconds that all takes each way on the slow line: 100 ms more for a question and its answer."""
IDLE_SECONDS = 20
TAKE_OVERS = 5
_DURABLE = {"fsync": "on", "full_page_writes": "on"}
_SOCKET = ".s.PGSQL.5432"


def rows() -> Iterator[Row]:
    """The measurements; none where no server is installed."""
    if not server.is_installed():
        return
    with mock.patch.dict(server._SETTINGS, _DURABLE), server.running() as running:
        for measure in (_writing, _following, _idle, _taking_over):
            name = measure.__name__.strip("_")
            running.run(f"CREATE DATABASE {name}")
            with (
                mock.patch.dict(os.environ, {"PERLES_DATABASE": running.url(name)}),
                bench() as home,
            ):
                yield from measure(running, home)


def _writing(_running: server.Server, home: Bench) -> Iterator[Row]:
    path = home.root / "perles.db"
    migrate.ensure(path)
    database = Database(path)
    leadership.take(database)
    fill(database, TRANSITIONS, TRANSITIONS)
    each, together = asyncio.run(_measure(database))
    database.dispose()
    yield Row("PostgreSQL: transition with its event, durable", each, "1/s", ">= 500")
    yield Row("PostgreSQL: events, 100 producers, durable", together, "1/s", ">= 20000")


def _following(running: server.Server, home: Bench) -> Iterator[Row]:
    with _slow_line(running.folder / _SOCKET, home.root / _SOCKET):
        far = os.environ["PERLES_DATABASE"].replace(str(running.folder), str(home.root))
        for where, url, most in (
            ("near", os.environ["PERLES_DATABASE"], 150),
            ("100 ms away", far, 600),
        ):
            delays, _ = follow(home, FOLLOWED, {**home.environ, "PERLES_DATABASE": url})
            name = f"PostgreSQL: committed to seen by events --follow, {where}"
            yield Row(f"{name}, p50", percentile(delays, 0.5), "ms", f"<= {most}")
            yield Row(f"{name}, p99", percentile(delays, 0.99), "ms", f"<= {most}")


def _idle(running: server.Server, home: Bench) -> Iterator[Row]:
    """An engine that has nothing to do: its share of a core, and how often it asks the server."""
    engine = psutil.Popen([PERLES, "serve"], env=home.environ, stderr=subprocess.DEVNULL)
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'perles engine'"
        while running.run(query).strip() == "0":
            time.sleep(0.2)
        time.sleep(IDLE_SECONDS / 4)  # it has looked at all that may be left
        begun, used, asked = time.perf_counter(), _cpu(engine), _asked(running)
        time.sleep(IDLE_SECONDS)
        wall = time.perf_counter() - begun
        share, asks = 100 * (_cpu(engine) - used) / wall, (_asked(running) - asked) / wall
    finally:
        engine.terminate()
        engine.wait()
    yield Row("PostgreSQL: an idle engine's CPU", share, "% of a core", "<= 1")
    yield Row("PostgreSQL: transactions of an idle engine", asks, "1/s", "<= 10")


def _taking_over(_running: server.Server, home: Bench) -> Iterator[Row]:
    """From SIGKILL of the leader to the first command that the engine beside it has done."""
    database = home.database()
    fill(database, TRANSITIONS, 0)
    engines, seconds = [_engine(home, "0.log")], []
    try:
        _wait_for_command(database)
        for number in range(1, TAKE_OVERS + 1):
            engines.append(_engine(home, f"{number}.log"))
            while "standing by: an engine leads" not in (home.root / f"{number}.log").read_text():
                time.sleep(0.05)
            begun = time.perf_counter()
            engines[-2].kill()
            _wait_for_command(database)
            seconds.append(time.perf_counter() - begun)
    finally:
        for engine in engines:
            engine.kill()
            engine.wait()
        database.dispose()
    for name, value in (("p50", percentile(seconds, 0.5)), ("worst", max(seconds))):
        yield Row(f"PostgreSQL: leader killed to a command done, {name}", value, "s", "<= 3")


def _engine(home: Bench, log: str) -> "subprocess.Popen[bytes]":
    """An engine that leads, or stands by where another one does."""
    command = [PERLES, "serve", "--standby"]
    with (home.root / log).open("wb") as output:
        return subprocess.Popen(command, env=home.environ, stdout=output, stderr=output)


def _wait_for_command(database: Database) -> None:
    """Have the engine, whichever leads now or next, carry out a command."""
    command_id = database.write(lambda tx: append_for_engine(tx, Stay()))
    query = "SELECT status FROM commands WHERE id = ?"
    with database.reader() as reader:
        while reader.execute(query, (command_id,))[0][0] != "succeeded":
            time.sleep(0.01)


def _cpu(process: psutil.Popen) -> float:
    return float(sum(process.cpu_times()[:2]))


def _asked(running: server.Server) -> int:
    counts = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'idle'"
    return int(running.run(counts))


@contextmanager
def _slow_line(server_socket: Path, socket: Path) -> Iterator[None]:
    """A socket that leads to the server's; all that comes through takes `ONE_WAY` longer."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_unix_connection(server_socket)
        await asyncio.gather(_carry(reader, back), _carry(onward, writer))

    async def serve() -> None:
        async with await asyncio.start_unix_server(connected, socket):
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            loop.call_later(ONE_WAY, writer.write, data)
    loop.call_later(ONE_WAY, writer.close)


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
