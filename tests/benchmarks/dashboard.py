"""The dashboard on a pty, over 10,000 workflows: frames, keys, changes, processor, memory."""

import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perles.store.database import Database
from perles.store.sqlite.driver import dbapi
from tests.benchmarks.bench import PERLES, Bench, Row, bench, fill, percentile

COUNT = 10_000
COUNT_OF_OUTPUT = 88_000
"""Pieces of output of `OUTPUT` bytes: a gigabyte of them."""
OUTPUT = 12 * 1024
CHANGING = 100
KEYS = 200
CHANGES = 60
SECONDS = 8.0
WAIT = 20.0


class Screen:
    """The dashboard on a terminal of its own, from its start to its first frame."""

    def __init__(self, home: Bench, *args: str, until: str = f"workflow {COUNT - 1}") -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [PERLES, "dashboard", "--no-engine", *args],
            env={**home.environ, "TERM": "xterm-256color"},
            cwd=home.root,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.until(until.encode())
        self.first_ms = (time.perf_counter() - begun) * 1000

    def until(self, text: bytes) -> None:
        """Read until a text is written. Raises `TimeoutError`."""
        seen = b""
        deadline = time.monotonic() + WAIT
        while text not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise TimeoutError(f"the screen never showed {text!r}")
            seen = seen[-200:] + os.read(self._master, 65536)

    def press(self, key: bytes) -> None:
        """Press a key and take in what comes of it."""
        os.write(self._master, key)
        self.rest(0.3)

    def rest(self, seconds: float) -> None:
        """Read and forget what is written in this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0]:
                os.read(self._master, 65536)

    def key_ms(self, key: bytes) -> float:
        """From a key to the end of the frame that it makes."""
        begun = time.perf_counter()
        os.write(self._master, key)
        self.until(b"\x1b[?2026l")
        return (time.perf_counter() - begun) * 1000

    def cpu(self) -> float:
        """Seconds of processor used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """The most memory that it held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def close(self) -> None:
        """Quit, and let go of the terminal."""
        os.write(self._master, b"q")
        try:
            while self.process.poll() is None:
                self.rest(0.05)
        except OSError:
            self.process.wait(timeout=WAIT)  # the terminal is closed: it has ended
        os.close(self._master)


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        database = home.database()
        fill(database, COUNT, CHANGING)
        starts = []
        for _ in range(5):
            with _shown(home) as screen:
                starts.append(screen.first_ms)
        value = statistics.median(starts)
        yield Row("dashboard, start to first frame, 10,000", value, "ms", "<= 300")
        with _shown(home) as screen:
            yield from _measured(screen, database)

    yield Row("dashboard, most memory, 1 GB transcript", _long_transcript(), "MiB", "<= 60")


def _long_transcript() -> float:
    """The most memory with a transcript of 1 GB open, scrolled back and searched."""
    with bench() as home:
        database = home.database()
        fill(database, 1, 1)
        fill_output(Path(database.path), home.root / "stdout", COUNT_OF_OUTPUT)
        screen = Screen(home, "--show", "wf-00000000", until="the end")
        for keys in (b"g" * 20, b"/sentence\r", b"nnn", b"G", b"\t" * 5):
            for key in keys:
                screen.press(bytes([key]))
        peak = screen.peak_mib()
        screen.close()
        return peak


def fill_output(path: Path, file: Path, count: int) -> None:
    """Have the coordinator of the first workflow say much, in events, messages, and in a file."""
    text = "A sentence that an agent wrote. " * (OUTPUT // 32)
    connection = dbapi.connect(path)
    agent = connection.execute("SELECT id FROM agents WHERE role = 'coordinator'").fetchone()[0]
    at = "2026-01-01T00:00:00.000Z"

    def events() -> Iterator[tuple[object, ...]]:
        for number in range(count):
            said = f"{number} {'the end' if number == count - 1 else text}"
            payload = json.dumps({"v": 1, "kind": "text" if number % 5 else "error", "text": said})
            yield ("wf-00000000", agent, "coordinator.output", payload, at)

    with connection:
        connection.executemany(
            "INSERT INTO events (workflow_id, agent_id, type, payload, created_at) "
            "VALUES (?, ?, ?, ?, ?)",
            events(),
        )
        connection.executemany(
            "INSERT INTO messages (agent_id, sender, sender_kind, body, status, created_at, "
            "updated_at) VALUES (?, 'user', 'user', ?, 'done', ?, ?)",
            ((agent, f"{text * 50} the end" if n else "the end", at, at) for n in range(9, -1, -1)),
        )
        with file.open("wb") as output:
            output.truncate(OUTPUT * count)
            output.seek(0, 2)
            output.write(b"\nthe end\n")
        connection.execute(
            "INSERT INTO turns (workflow_id, agent_id, number, status, prompt, stdout_path, "
            "stderr_path, created_at, updated_at) VALUES ('wf-00000000', ?, 1, 'succeeded', '', "
            "?, '', ?, ?)",
            (agent, str(file), at, at),
        )
    connection.close()


def _measured(screen: Screen, database: Database) -> Iterator[Row]:
    screen.rest(2.0)
    yield Row("dashboard, idle", _share(screen, None), "% of a core", "<= 1")
    share = _share(screen, database)
    yield Row("dashboard, 100 of 10,000 change at 10/s", share, "% of a core", "<= 7")
    keys = []
    for number in range(KEYS):
        screen.rest(0.06)
        keys.append(screen.key_ms(b"j" if number % 20 < 10 else b"k"))
    yield Row("dashboard, key to frame, p50", percentile(keys, 0.5), "ms", "<= 10")
    yield Row("the same, p99", percentile(keys, 0.99), "ms", "<= 30")
    delays = [_change_ms(screen, database, number) for number in range(CHANGES)]
    yield Row("dashboard, commit to screen, p50", percentile(delays, 0.5), "ms", "<= 60")
    yield Row("the same, p99", percentile(delays, 0.99), "ms", "<= 150")
    yield Row("dashboard, most memory", screen.peak_mib(), "MiB", "<= 60")


@contextmanager
def _shown(home: Bench) -> Iterator[Screen]:
    screen = Screen(home)
    try:
        yield screen
    finally:
        screen.close()


def _share(screen: Screen, database: Database | None) -> float:
    """Percent of a core over some seconds; with a database, 100 rows change ten times a second."""
    begun, before = time.monotonic(), screen.cpu()
    tokens = 0
    while time.monotonic() - begun < SECONDS:
        if database is not None:
            tokens += 1
            _execute(
                database, "UPDATE workflows SET tokens_used = ? WHERE state = 'running'", tokens
            )
        screen.rest(0.1)
    return (screen.cpu() - before) / (time.monotonic() - begun) * 100


def _change_ms(screen: Screen, database: Database, number: int) -> float:
    """From a commit to the name that it wrote on the screen."""
    screen.rest(0.073)
    name = f"renamed-{number}-"
    query = "UPDATE workflows SET name = ? WHERE id = ?"
    _execute(database, query, name, f"wf-{COUNT - 1:08d}")
    begun = time.perf_counter()
    screen.until(name.encode())
    return (time.perf_counter() - begun) * 1000


def _execute(database: Database, query: str, *values: object) -> None:
    """One committed change, made as from another process."""
    connection = dbapi.connect(database.path)
    with connection:
        connection.execute(query, values)
    connection.close()
