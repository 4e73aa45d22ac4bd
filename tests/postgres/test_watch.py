"""Watching a database on a server: how often the server is asked while nothing happens."""

import os
import select
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from perles.domain.errors import DatabaseError
from perles.domain.explanations import NO_ENGINE
from perles.store import migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.hub import joined
from perles.store.place import engine_lock
from perles.store.reads.connection import reading
from perles.store.reads.engine import trouble
from perles.store.watching import QUIET, Watch, watched
from tests.integration.cli import DEADLINE
from tests.integration.open_files import many_open
from tests.postgres.server import Server

lookout = pytest.importorskip("perles.store.postgres.lookout", reason="psycopg is not installed")
sessions = pytest.importorskip("perles.store.postgres.sessions")
APPLICATION: Final = "perles watch"
_OURS: Final = f"datname = current_database() AND application_name = '{APPLICATION}'"
_END: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = '{APPLICATION}'"
)


@pytest.mark.parametrize("application", ["nothing", APPLICATION], ids=["whole", "cut"])
def test_a_process_asks_seldom_while_nothing_happens_however_many_watch(
    application: str, path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.ensure(path)
    asked: list[float] = []
    looks = threading.Semaphore(0)
    look = lookout._snapshot

    def counted(session: Any) -> str:
        asked.append(time.monotonic())
        looks.release()
        return str(look(session))

    monkeypatch.setattr(lookout, "_snapshot", counted)
    key = object()
    hub = joined(path, key, lambda: None)
    with reading(path) as connection, ExitStack() as stack:
        assert connection is not None
        watches = [stack.enter_context(closing(watched(connection, path))) for _ in range(3)]
        assert all(watch.changed() for watch in watches)
        assert looks.acquire(timeout=DEADLINE)
        server.run(_END.format(APPLICATION=application), _name())
        for _ in range(6):
            assert looks.acquire(timeout=DEADLINE)
        sessions = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS}"
        assert server.run(sessions, _name()) == "1\n"
        hub.leave(key)

    # What came before may have rung, and the end of a session does: not the last ones.
    assert asked[6] - asked[3] >= 2.5 * QUIET
    deadline = time.monotonic() + DEADLINE
    while server.run(sessions, _name()) != "0\n":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
def test_each_who_watches_is_rung_and_finds_out_without_a_ring(
    is_cut: bool, path: Path, server: Server
) -> None:
    migrate.ensure(path)
    database = Database(path)
    with reading(path) as connection, ExitStack() as stack:
        assert connection is not None
        watches = [stack.enter_context(closing(watched(connection, path))) for _ in range(2)]
        _calm(watches)
        if is_cut:
            server.run(_END.format(APPLICATION=APPLICATION), _name())
            _calm(watches)

        database.write(lambda tx: journal.append(tx, "engine.started", {}))
        for watch in watches:
            _wait_for(watch)
        _calm(watches)

        server.run("INSERT INTO cursors VALUES ('n', 1, '', '')", _name())  # without a ring
        for watch in watches:
            _wait_for(watch)
    database.dispose()


def test_who_was_rung_does_not_ask(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.ensure(path)
    database = Database(path)
    with reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path, quiet=DEADLINE)) as watch:
            _calm([watch])
            monkeypatch.setattr(lookout, "_snapshot", lambda session: "1:1:")
            time.sleep(2 * QUIET)
            _calm([watch])
            database.write(lambda tx: journal.append(tx, "engine.started", {}))
            assert select.select([watch.fd or -1], [], [], DEADLINE)[0]
            assert watch.changed()
    database.dispose()


@pytest.mark.parametrize(
    ("before", "now", "rang", "told"),
    [
        ("7:7:", "7:7:", 0, True),
        ("7:7:", "8:8:", 1, True),
        ("7:7:", "9:9:", 2, True),
        ("7:7:", "8:8:", 0, False),  # who committed did not ring
        ("7:7:", "9:9:", 1, False),
        ("7:7:", "7:8:7", 0, False),  # one is open: it is not known which ended
        ("7:9:7", "9:9:", 1, False),
        ("7:7:", "7:7:", 1, False),
    ],
)
def test_a_commit_that_rang_is_told_once(before: str, now: str, rang: int, told: bool) -> None:
    assert lookout._is_told(before, now, rang) is told


def test_one_commit_wakes_once(path: Path) -> None:
    migrate.ensure(path)
    database = Database(path)
    with reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path)) as watch:

            def wakes_again() -> bool:
                _calm([watch])
                database.write(lambda tx: journal.append(tx, "engine.started", {}))
                _wait_for(watch)
                return bool(select.select([watch.fd or -1], [], [], 3 * QUIET)[0])

            # One that comes in the very moment of a look may wake twice.
            assert not all(wakes_again() for _ in range(4))
    database.dispose()


def test_a_ring_that_comes_with_an_answer_is_heard_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.ensure(path)
    database = Database(path)
    look = lookout._snapshot
    is_due = threading.Event()

    def look_and_commit(session: Any) -> str:
        found = str(look(session))
        if is_due.is_set():
            is_due.clear()
            monkeypatch.setattr(lookout, "QUIET", 10 * DEADLINE)
            database.write(lambda tx: journal.append(tx, "engine.started", {}))
            session.script("SELECT pg_sleep(0)")
        return found

    monkeypatch.setattr(lookout, "_snapshot", look_and_commit)
    with reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path)) as watch:
            _calm([watch])
            is_due.set()
            assert select.select([watch.fd or -1], [], [], DEADLINE)[0]
    database.dispose()


def test_who_has_a_thousand_files_open_is_woken(path: Path) -> None:
    migrate.ensure(path)
    database = Database(path)
    with many_open(), reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path)) as watch:
            _calm([watch])
            database.write(lambda tx: journal.append(tx, "engine.started", {}))
            _wait_for(watch)
    database.dispose()


def test_a_watch_tells_that_its_server_is_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.ensure(path)
    with reading(path) as connection:
        assert connection is not None

        def refuse(*_: object, **__: object) -> None:
            raise DatabaseError("cannot reach it")

        with monkeypatch.context() as patched:
            patched.setattr(sessions, "connect", refuse)
            watch = watched(connection, path)
            with pytest.raises(DatabaseError, match="cannot reach it"):
                _wait_for(watch, news=False)
            watch.close()
        with closing(watched(connection, path)) as anew:
            _calm([anew])


def _wait_for(watch: Watch, *, news: bool = True) -> None:
    """Wait until it tells of a commit; without `news` until it raises."""
    deadline = time.monotonic() + DEADLINE
    while not watch.changed() or not news:
        assert time.monotonic() < deadline
        watch.wait()


def _calm(watches: list[Watch]) -> None:
    """Wait until what came before is taken in: two looks find nothing."""
    still = 0
    deadline = time.monotonic() + DEADLINE
    while still < 3:
        assert time.monotonic() < deadline
        found = [watch.changed() for watch in watches]
        still = 0 if any(found) else still + 1
        time.sleep(QUIET)


def _name() -> str:
    return urlsplit(os.environ["PERLES_DATABASE"]).path.lstrip("/")


def test_looking_for_the_engine_takes_no_session_of_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perles.store.postgres import opening

    migrate.ensure(path)
    with reading(path) as connection, monkeypatch.context() as patched:
        assert connection is not None
        patched.delattr(opening, "connect")
        assert trouble(connection) == NO_ENGINE
    with engine_lock(path), reading(path) as connection:
        assert connection is not None
        assert trouble(connection) is None
