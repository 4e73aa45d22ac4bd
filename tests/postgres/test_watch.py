"""Watching a database on a server: how often the server is asked while nothing happens."""

import os
import select
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from perles.domain.explanations import NO_ENGINE
from perles.store import migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.hub import joined
from perles.store.place import engine_lock
from perles.store.reads.connection import reading
from perles.store.reads.engine import trouble
from perles.store.watching import QUIET, watched
from tests.integration.cli import DEADLINE
from tests.postgres.server import Server


@pytest.mark.parametrize("application", ["nothing", "perles watch"], ids=["whole", "cut"])
def test_a_hub_asks_seldom_while_nothing_happens(
    application: str, path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perles.store.postgres.watch import ServerWatch  # which needs the driver

    migrate.ensure(path)
    asked: list[float] = []
    changed = ServerWatch.changed
    news = threading.Semaphore(0)

    def counted(watch: ServerWatch) -> bool:
        asked.append(time.monotonic())
        news.release()
        return changed(watch)

    monkeypatch.setattr(ServerWatch, "changed", counted)
    key = object()
    hub = joined(path, key, lambda: None)
    try:
        assert news.acquire(timeout=DEADLINE)
        name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
        server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND application_name = '{application}'"
        )
        for _ in range(6):
            assert news.acquire(timeout=DEADLINE)
    finally:
        hub.leave(key)

    # What came before may have rung, and the end of a session does: not the last ones.
    assert asked[6] - asked[3] >= 2.5 * QUIET


def test_who_was_rung_does_not_ask_and_who_was_not_still_finds_out(
    path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perles.store.postgres.exchange import Exchange  # which needs the driver

    migrate.ensure(path)
    database = Database(path)
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    with reading(path) as connection:
        assert connection is not None
        with closing(watched(connection, path)) as watch:
            while watch.changed():  # what came before
                watch.wait()
            database.write(lambda tx: journal.append(tx, "engine.started", {}))
            while not select.select([watch.fd or -1], [], [], 30)[0]:
                pass
            with monkeypatch.context() as patched:
                patched.delattr(Exchange, "ask")
                assert watch.changed()
            while watch.changed():
                watch.wait()

            server.run("INSERT INTO cursors VALUES ('n', 1, '', '')", name)  # without a ring

            deadline = time.monotonic() + 30
            while not watch.changed():
                assert time.monotonic() < deadline
                watch.wait()
    database.dispose()


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
