"""A database of the first release must open for ever: `tests/data/release-0.1.0.sql` is one.

It has a workflow of each kind of end, one that waits, and one that was paused while it
waited for a person.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from perles.store import migrate
from perles.store.sqlite.driver import dbapi
from perles.store.version import HEAD
from tests.integration.cli import Home

RELEASE: Final = Path(__file__).parents[1] / "data" / "release-0.1.0.sql"


@pytest.fixture
def old(fresh_home: Home) -> Home:
    """A home with the database of the first release, at this test's work dir."""
    fresh_home.root.mkdir(mode=0o700, exist_ok=True)
    text = RELEASE.read_text().replace("/home/me/work", str(fresh_home.work))
    text = text.replace("/home/me/.perles", str(fresh_home.root))
    connection = dbapi.connect(fresh_home.database)
    connection.executescript(text)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return fresh_home


def _rows(home: Home, table: str) -> int:
    connection = dbapi.connect(home.database)
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(found)


def test_a_database_of_the_first_release_is_migrated_with_all_its_rows(old: Home) -> None:
    tables = ("workflows", "agents", "turns", "tasks", "messages", "events", "commands", "leases")
    before = {table: _rows(old, table) for table in tables}

    migrate.ensure(old.database)

    assert {table: _rows(old, table) for table in tables} == before
    connection = dbapi.connect(old.database)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_what_the_first_release_left_can_be_read(old: Home) -> None:
    migrate.ensure(old.database)

    listed: dict[str, Any] = {one["name"]: one for one in old.json("list", "--json")}
    assert {name: one["state"] for name, one in listed.items()} == {
        "release check": "completed",
        "broken": "failed",
        "deploy": "paused",
        "waits": "pending",
    }
    shown = old.json("show", listed["broken"]["id"], "--json")
    assert [(task["key"], task["status"]) for task in shown["tasks"]] == [
        ("bad", "failed"),
        ("never", "skipped"),
    ]
    assert len(old.events()) == _rows(old, "events")
    assert "ok" in {task["key"] for task in old.json("tasks", "--waiting", "--json")}


def test_what_the_first_release_paused_goes_on_to_its_end(old: Home) -> None:
    migrate.ensure(old.database)
    (paused,) = [one["id"] for one in old.json("list", "--json") if one["state"] == "paused"]

    approved = old.perles("approve", paused, "ok")
    ended = old.perles("run", paused)

    assert approved.returncode == 0, approved.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr
