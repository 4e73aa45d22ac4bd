"""The dashboard of a database on a server: an empty one, and one that comes back."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from perles.dashboard.model.state import State, View
from perles.dashboard.reading import source as reading
from perles.dashboard.reading.source import Source
from perles.store import migrate
from perles.store.version import HEAD
from tests.integration.cli import DEADLINE
from tests.integration.crew import Crew
from tests.postgres.server import Server


@pytest.fixture
def source(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """What the dashboard reads, at each look."""
    monkeypatch.setattr(reading, "LOOK_SECONDS", 0.0)
    migrate.ensure(path)
    made = Source(path)
    yield made
    made.close()


def _view(source: Source) -> View:
    source.changed()
    return source.view(State(), View(), (100, 24))


def test_a_home_without_a_workflow_is_shown(source: Source) -> None:
    view = _view(source)

    assert (view.banner, view.total) == ("", 0)


def test_a_database_that_could_not_be_read_for_a_while_is_not_taken_for_gone(
    source: Source, path: Path, server: Server
) -> None:
    with closing(Crew(path)) as crew:
        crew.workflow("wf-aaaaaaaa")
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    assert _view(source).total == 1
    server.run("UPDATE alembic_version SET version_num = '9999'", name)
    assert "newer than this perles" in _until(source, is_told=True).banner

    server.run(f"UPDATE alembic_version SET version_num = '{HEAD}'", name)

    assert _until(source, is_told=False).total == 1


def test_the_screen_does_not_stand_still_while_a_table_is_locked(source: Source) -> None:
    """As a migration locks it: other readers wait for ten seconds."""
    assert _view(source).banner == ""
    connection = source._held.connection
    assert connection is not None

    assert connection.execute("SHOW lock_timeout").fetchone()[0] == "50ms"


def _until(source: Source, *, is_told: bool) -> View:
    """What is shown once there is a banner, or none."""
    deadline = time.monotonic() + DEADLINE
    while bool((view := _view(source)).banner) != is_told:
        assert time.monotonic() < deadline, view.banner
        time.sleep(0.05)
    return view
