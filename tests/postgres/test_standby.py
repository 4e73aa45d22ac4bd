"""A second engine stands by, and leads when the first is killed, or its session is cut."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perles.store.place import engine_lock
from perles.store.reads.connection import reading
from tests.integration.cli import DEADLINE, Home
from tests.postgres.server import Server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def home_on_server(path: Path, tmp_path: Path) -> Home:
    assert path.parent == tmp_path
    return Home(tmp_path)


FEW = 20
"""Modules that an engine which takes over may still import: all else costs it seconds."""

Start = Callable[[Home], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts engines that stand by; they are gone after the test."""
    made: list[subprocess.Popen[bytes]] = []

    def one(home: Home) -> "subprocess.Popen[bytes]":
        home.root.mkdir(mode=0o700, exist_ok=True)
        log = (home.root / f"standby-{len(made)}.log").open("wb")
        command = [sys.executable, "-m", "perles", "serve", "--standby"]
        with log:
            environ = home.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
            made.append(
                subprocess.Popen(command, env=environ, cwd=home.work, stdout=log, stderr=log)
            )
        return made[-1]

    yield one
    for process in made:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def _wait_for_leader(home: Home, pid: int, seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while _leader(home) != pid:
        assert time.monotonic() < deadline, f"{_leader(home)} leads, not {pid}: {_logs(home)}"
        time.sleep(0.05)


def _leader(home: Home) -> int | None:
    with reading(home.database) as connection:
        if connection is None:
            return None
        query = "SELECT pid FROM engine WHERE ended_at IS NULL"
        row = connection.execute(query).fetchone()
    return None if row is None else int(row[0])


def _logs(home: Home) -> str:
    return "".join(path.read_text() for path in sorted(home.root.glob("standby-*.log")))


def _imported_since(home: Home, text: str) -> list[str]:
    """Which modules a process imported after it said this."""
    lines = _logs(home).partition(text)[2].splitlines()
    return [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]


def _said(home: Home, text: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while text not in _logs(home):
        assert time.monotonic() < deadline, _logs(home)
        time.sleep(0.05)


def _takes_over(home: Home, start: Start) -> None:
    first = start(home)
    _wait_for_leader(home, first.pid)
    second = start(home)
    _said(home, "standing by: an engine leads")

    first.kill()
    first.wait()

    _wait_for_leader(home, second.pid)
    second.terminate()
    assert second.wait(DEADLINE) == 0, _logs(home)
    late = _imported_since(home, "standing by")
    assert len(late) <= FEW, late
    lock = engine_lock(home.database)
    assert not lock.is_held()
    lock.release()


def test_a_standby_takes_over_a_file(home: Home, start: Start) -> None:
    _takes_over(home, start)


def test_a_standby_takes_over_on_a_server(home_on_server: Home, start: Start) -> None:
    _takes_over(home_on_server, start)


def test_a_turn_goes_on_under_the_next_leader_of_a_server(
    home_on_server: Home, start: Start
) -> None:
    """With its port and its token: the keeper of the ports lets the next leader in."""
    home = home_on_server
    first = start(home)
    _wait_for_leader(home, first.pid)
    wait = "echo begun >> begun; while [ ! -e enough ]; do sleep 0.1; done"
    home.perles("run", "-d", home.pipeline("p", [{"key": "a", "run": wait}]))
    home.wait_for("the task", lambda: (home.work / "begun").exists())
    second = start(home)
    _said(home, "standing by: an engine leads")

    first.kill()
    first.wait()
    _wait_for_leader(home, second.pid)
    home.wait_for("adoption", lambda: "reconciled" in _logs(home))
    (home.work / "enough").touch()

    home.wait_for("the end", lambda: home.json("list", "--json")[0]["state"] == "completed")
    assert "was lost" not in _logs(home)
    assert (home.work / "begun").read_text().split() == ["begun"]


def test_a_leader_that_slept_while_its_session_was_cut_ends(
    home_on_server: Home, start: Start, server: Server
) -> None:
    home = home_on_server
    first = start(home)
    _wait_for_leader(home, first.pid)
    second = start(home)
    _said(home, "standing by: an engine leads")
    os.kill(first.pid, signal.SIGSTOP)
    name = home.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        f"datname = '{name}' AND application_name LIKE 'perles engine lock %'"
    )
    _wait_for_leader(home, second.pid)

    os.kill(first.pid, signal.SIGCONT)

    assert first.wait(60) != 0
    assert "another engine leads" in _logs(home) or "already runs" in _logs(home)
    assert _leader(home) == second.pid
