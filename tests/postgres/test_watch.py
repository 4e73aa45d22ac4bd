"""Watching a database on a server: how often the server is asked while nothing happens."""

import os
import threading
import time
from pathlib import Path

import pytest

from perles.store import migrate
from perles.store.events.hub import joined
from perles.store.watching import QUIET
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
