"""What it costs to watch many agents, to take them over, and to pause them."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from perles.agents.provider import Launch
from perles.domain.clock import SystemClock, from_text, to_text
from perles.executor.contract import TurnFiles
from perles.executor.local import launcher, processes
from perles.keeper.whereabouts import keeper_of
from perles.mcp.keeper_client import Ports
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.engine import Command
from perles.store.schema.resources import Lease
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.workspace.session import new_token
from tests.benchmarks.bench import PERLES, Bench, Row, bench, percentile

LINE = b"x" * 399 + b"\n"
LINES_A_SECOND = 20
SECONDS = 10.0
PORTS = range(20_000, 32_000)  # below those that the kernel gives to outgoing connections
LIVE_TURNS = "SELECT count(*) FROM turns WHERE status = 'running'"


def rows() -> Iterator[Row]:
    """The measurements."""
    name = "until commands are taken: 1,000 running, 100 live agents"
    with bench() as home:
        yield Row(name, _adoption(home, 1000, 100), "s", "<= 1")
    for count, goal in ((100, 5), (500, 20)):
        with bench() as home:
            name = f"watching {count} agents, 20 lines/s of 400 B each"
            yield Row(name, _watching(home, count), "% of a core", f"<= {goal}")
    with bench() as home:
        times = _next_spawns(home)
        yield Row("a worker's report to its next turn, p50", percentile(times, 0.5), "ms", "<= 50")
        yield Row("the same, p99", percentile(times, 0.99), "ms", "<= 150")
    with bench() as home:
        yield Row("pause of 50 running agents", _pause(home), "s", "<= 1")


def _adoption(home: Bench, workflows: int, agents: int) -> float:
    with _world(home, workflows, agents) as ids:
        _queue_pause(home, ids[-1])
        begun = SystemClock().now()
        with _engine(home):
            started = _wait_for(home, "SELECT started_at FROM commands WHERE started_at NOT NULL")
            assert _value(home, LIVE_TURNS) >= agents - 1, "agents were not taken over"
        return (from_text(started) - begun).total_seconds()


def _watching(home: Bench, agents: int) -> float:
    """The share of a core that the engine takes while this process writes what agents print."""
    with _world(home, 10, agents), _engine(home) as engine:
        _wait_until_served(home)
        with reading(home.root / "perles.db") as connection:
            assert connection is not None
            paths = [row[0] for row in connection.execute("SELECT stdout_path FROM turns")]
        files = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in paths]
        before, begun = sum(engine.cpu_times()[:2]), time.monotonic()
        while (passed := time.monotonic() - begun) < SECONDS:
            for fd in files:
                os.write(fd, LINE)
            time.sleep(max(0.0, begun + passed + 1 / LINES_A_SECOND - time.monotonic()))
        used = sum(engine.cpu_times()[:2]) - before
        passed = time.monotonic() - begun
        for fd in files:
            os.close(fd)
        assert _value(home, "SELECT min(stdout_offset) FROM turns"), "an agent was not watched"
        return 100 * used / passed


def cpu_of_silent_agents(home: Bench, count: int) -> float:
    """The share of a core that the engine takes while an agent in each workflow prints nothing."""
    with _world(home, count, count), _engine(home) as engine:
        _wait_until_served(home)
        time.sleep(3)
        before, begun = sum(engine.cpu_times()[:2]), time.monotonic()
        time.sleep(2 * SECONDS)
        used = sum(engine.cpu_times()[:2]) - before
        assert _value(home, LIVE_TURNS) == count
        return 100 * used / (time.monotonic() - begun)


def _next_spawns(home: Bench) -> list[float]:
    """From each worker's report to the start of its next turn, in ms."""
    tasks = [{"key": f"t{number}", "run": "true"} for number in range(60)]
    file = home.root / "many.yaml"
    file.write_text(yaml.safe_dump({"name": "many", "workers": 1, "tasks": tasks}))
    with _engine(home):
        home.run("run", str(file))
    with reading(home.root / "perles.db") as connection:
        assert connection is not None
        events = connection.execute(
            "SELECT type, created_at FROM events WHERE type IN ('task.reported', 'turn.started')"
            " ORDER BY seq"
        ).fetchall()
    found, reported = [], None
    for type, at in events:
        if type == "task.reported":
            reported = at
        elif reported is not None:
            found.append((from_text(at) - from_text(reported)).total_seconds() * 1000)
            reported = None
    return found


def _pause(home: Bench) -> float:
    tasks = [{"key": f"t{number}", "run": "echo begun; sleep 1000"} for number in range(10)]
    file = home.root / "sleep.yaml"
    file.write_text(yaml.safe_dump({"name": "s", "workers": 10, "tasks": tasks}))
    with _engine(home):
        ids = [home.run("create", str(file)).strip() for _ in range(5)]
        home.run("start", *ids)
        begun = "SELECT count(DISTINCT turn_id) FROM events WHERE type = 'worker.output'"
        while _value(home, begun) < 50:
            time.sleep(0.1)
        asked = time.monotonic()
        for id in ids:
            _queue_pause(home, id)
        while _value(home, "SELECT count(*) FROM workflows WHERE state = 'paused'") < 5:
            time.sleep(0.01)
        return time.monotonic() - asked


@contextmanager
def _world(home: Bench, workflows: int, agents: int) -> Iterator[list[str]]:
    """Workflows that run, and live agents in them, as an engine that was killed leaves them."""
    ids = [f"wf-{number:08d}" for number in range(workflows)]
    database = home.database()
    ports = asyncio.run(_hold_ports(home, ids))

    def insert(tx: Tx) -> None:
        for id, port in zip(ids, ports, strict=True):
            _workflow(tx, home, id, port)

    database.write(insert)
    for number in range(agents):
        id = ids[number % workflows]
        database.write(lambda tx, id=id, number=number: _live_agent(tx, home, id, number))  # type: ignore[misc]
    database.dispose()
    try:
        yield ids
    finally:
        processes.signal_family(signal.SIGKILL, [f"PERLES_BENCH={home.root}"])
        if (keeper := keeper_of(home.root)) is not None:
            os.kill(keeper, signal.SIGTERM)


async def _hold_ports(home: Bench, ids: list[str]) -> list[int]:
    """Have a keeper hold a port for each: agents whose port is lost are ended at once."""
    ports, found = Ports(home.root, lambda *_: None, lambda *_: None), list[int]()
    await ports.start(may_spawn=True)
    numbers = iter(PORTS)
    for id in ids:
        listener = next(filter(None, map(_listener, numbers)))
        found.append(listener.getsockname()[1])
        await ports.hold(id, listener)
    ports.leave()
    return found


def _listener(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def _workflow(tx: Tx, home: Bench, id: str, port: int) -> None:
    now = to_text(SystemClock().now())
    values = {"state": "running", "work_dir": "/tmp", "mcp_port": port, "started_at": now}
    session = str(home.root / id)
    tx.insert(Workflow, id=id, template_id="pipeline", name=id, session_dir=session, **values)
    for kind, value in (("workflow", None), ("port", port)):
        tx.insert(Lease, kind=kind, value=value, workflow_id=id, acquired_at=now)


def _live_agent(tx: Tx, home: Bench, id: str, number: int) -> None:
    name = f"worker-{number}"
    session = home.root / id
    values: dict[str, Any] = {"role": "worker", "provider": "builtin", "status": "working"}
    token = new_token(session, name)
    agent = tx.insert(Agent, workflow_id=id, name=name, token=token, **values)
    files = TurnFiles.at(session / name / "turn-1.out")
    turn = tx.insert(
        Turn,
        workflow_id=id,
        agent_id=agent,
        number=1,
        status="queued",
        prompt="",
        stdout_path=str(files.stdout),
        stderr_path=str(files.stderr),
    )
    marks = {"PERLES_WORKFLOW": id, "PERLES_TURN": f"{id}/{turn}", "PERLES_BENCH": str(home.root)}
    environ = {"PATH": os.environ["PATH"], **marks}
    found = launcher.spawn(
        Launch(argv=["sleep", "1000"]), cwd=Path("/tmp"), env=environ, files=files
    )
    values = {"pid": found.pid, "start_ticks": found.start_ticks, "boot_id": found.boot_id}
    tx.write(Turn, turn, {"status": "running", "started_at": tx.now, **values})


def _queue_pause(home: Bench, id: str) -> None:
    database = home.database()
    database.write(
        lambda tx: tx.insert(
            Command, workflow_id=id, kind="pause", args="{}", source="user", status="queued"
        )
    )
    database.dispose()


@contextmanager
def _engine(home: Bench) -> Iterator[psutil.Popen]:
    ports = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__PORT_RANGE_"
    environ = {**home.environ, f"{ports}START": str(PORTS[0]), f"{ports}END": str(PORTS[-1])}
    with (home.root / "engine.log").open("ab") as log:
        engine = psutil.Popen([PERLES, "serve", "--foreground"], env=environ, stderr=log)
    _wait_for(home, "SELECT 1 FROM engine WHERE ended_at IS NULL")
    try:
        yield engine
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait()


def _wait_until_served(home: Bench) -> None:
    """Wait until agents are answered: what an engine does once at its start is no steady cost."""
    _wait_for(home, "SELECT 1 FROM events WHERE type = 'engine.reconciled'")
    ports = "SELECT mcp_port FROM workflows WHERE state = 'running' ORDER BY mcp_port DESC"
    with socket.create_connection(("127.0.0.1", _value(home, ports)), timeout=30) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 ")
    time.sleep(1)


def _wait_for(home: Bench, sql: str) -> Any:
    while (found := _value(home, sql)) is None:
        time.sleep(0.01)
    return found


def _value(home: Bench, sql: str) -> Any:
    with reading(home.root / "perles.db") as connection:
        if connection is None:
            return None
        row = connection.execute(sql).fetchone()
        return None if row is None else row[0]
