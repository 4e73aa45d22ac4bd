"""Noticing what other processes commit, with the kernel's help and without it."""

import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from sqlite3 import Connection

import pytest

from perles.store import migrate, statements
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.hub import joined
from perles.store.events.reads import read_events
from perles.store.reader import Reader
from perles.store.reads.connection import reading
from perles.store.sqlite import watch
from perles.store.sqlite.driver import dbapi
from perles.store.sqlite.watch import POLL, QUIET, Watch
from perles.store.watching import watched
from tests.integration.cli import DEADLINE
from tests.integration.open_files import many_open

_COMMIT = """
import sys
from pathlib import Path
from perles.store.events import journal
from perles.store.database import Database
Database(Path(sys.argv[1])).write(lambda tx: journal.append(tx, "engine.started", {}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "perles.db"
    migrate.ensure(path)
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    with reading(path) as connection:
        assert connection is not None
        yield connection


def _commit_elsewhere(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _COMMIT, str(path)], check=True, timeout=60)


@pytest.mark.parametrize("has_inotify", [True, False])
def test_a_commit_of_another_process_is_noticed_once(
    path: Path, connection: Connection, has_inotify: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_inotify:
        monkeypatch.setattr(watch, "_watch", lambda _path: None)
    with closing(Watch(connection, path)) as seen:
        seen.changed()
        assert not seen.changed()

        _commit_elsewhere(path)

        assert seen.changed()
        assert not seen.changed()


def test_what_another_process_writes_wakes_who_waits(path: Path, connection: Connection) -> None:
    with closing(Watch(connection, path)) as seen:
        seen.changed()
        assert seen.fd is not None
        assert not select.select([seen.fd], [], [], 0)[0]

        _commit_elsewhere(path)

        assert select.select([seen.fd], [], [], 10)[0]
        seen.hear()
        assert not select.select([seen.fd], [], [], 0)[0]


def test_it_looks_often_after_a_write_and_seldom_when_nothing_comes(
    path: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("perles.store.sqlite.watch.time.monotonic", lambda: now)
    with closing(Watch(connection, path)) as seen:
        assert seen.patience() == POLL
        now += watch.SETTLE + 1
        assert seen.patience() == QUIET

        _commit_elsewhere(path)
        seen.hear()

        assert seen.patience() == POLL


@pytest.mark.parametrize("flush_ms", [0.2, 1.6, 3.6, 5, 8, 16, 25])
def test_a_commit_is_looked_for_soon_after_its_flush_however_long_that_takes(
    flush_ms: float,
) -> None:
    moments = accumulate(1000 * pause for pause in Watch.looks)

    late = next(at for at in moments if at >= flush_ms) - flush_ms

    assert late <= max(0.5, flush_ms / 4)


def test_it_looks_often_as_long_as_commits_come(
    path: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("perles.store.sqlite.watch.time.monotonic", lambda: now)
    database = Database(path)
    with closing(Watch(connection, path)) as seen:
        for _ in range(50):
            database.write(lambda tx: journal.append(tx, "engine.started", {}))
            now += seen.patience()

            assert seen.changed()
            assert seen.patience() == POLL


def test_a_write_ends_a_long_wait_for_the_next_commit(
    path: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("perles.store.sqlite.watch.time.monotonic", lambda: now)
    with closing(Watch(connection, path, settle=1000)) as seen:
        seen.changed()
        now += 900
        assert seen.patience() == 900
        waiting = threading.Thread(target=seen.wait, daemon=True)
        waiting.start()

        _commit_elsewhere(path)

        waiting.join(60)
        assert not waiting.is_alive()
        assert seen.changed()


def test_without_the_kernel_it_never_stops_looking_often(
    path: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_watch", lambda _path: None)
    with closing(Watch(connection, path)) as seen:
        monkeypatch.setattr("perles.store.sqlite.watch.time.monotonic", lambda: 1e9)

        assert seen.fd is None
        assert seen.patience() == POLL


def test_who_has_a_thousand_files_open_is_woken(path: Path) -> None:
    database = Database(path)
    key, deadline = object(), time.monotonic() + DEADLINE
    with many_open(), reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path)) as seen:
            seen.wait()
        hub = joined(path, key, lambda: None)
        before = None
        while before is None or hub.newest == before:
            assert time.monotonic() < deadline
            if hub.after(hub.newest) is not None and before is None:  # raises what ended the hub
                before = hub.newest
                database.write(lambda tx: journal.append(tx, "engine.started", {}))
            time.sleep(POLL)
        hub.leave(key)
    database.dispose()


def test_a_file_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    assert watch._watch(str(tmp_path / "nothing")) is None


_LOOKS: list[Callable[[Connection, int], object]] = [
    lambda connection, number: read_events(connection, since=number, limit=5),
    lambda connection, number: Reader(connection).rows(
        statements.LATEST_ENDED_TURNS, agent_id=number, limit=number
    ),
]


@pytest.mark.parametrize("look", _LOOKS)
def test_a_statement_with_a_limit_is_planned_once(
    connection: Connection, look: Callable[[Connection, int], object]
) -> None:
    planned: list[object] = []

    def note(*what: object) -> int:
        planned.append(what)
        return int(dbapi.SQLITE_OK)

    connection.set_authorizer(note)
    for number in range(9):
        look(connection, number)
        if number == 0:
            assert planned, "the first time it is planned"
            planned.clear()

    assert not planned
