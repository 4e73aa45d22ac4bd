"""A home folder that is moved goes on as it was: rows name files relative to it."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.store import migrate
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

RELEASE = Path(__file__).parents[1] / "data" / "release-0.1.0.sql"


def _move(home: Home, name: str = "elsewhere") -> None:
    new = home.root.with_name(name)
    home.root.rename(new)
    home.root = new
    home.environ["PERLES_HOME"] = str(new)


def _columns(home: Home) -> dict[str, set[str]]:
    """All paths that rows hold, by their columns."""
    found = {}
    with closing(dbapi.connect(home.database)) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for table, sql in tables.fetchall():
            for column in re.findall(r"\b(\w+_(?:path|dir))\b", sql):
                rows = connection.execute(f"SELECT {column} FROM {table} WHERE {column} <> ''")
                found[f"{table}.{column}"] = {row[0] for row in rows}
    return found


@pytest.fixture
def moved(home: Home) -> Home:
    """A home that was moved when a workflow had failed in it."""
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo printed by a"},
        {"key": "b", "run": "echo gone wrong; test -e go", "after": ["a"]},
    ]
    home.perles("run", home.pipeline("p", tasks))
    home.wait_for_no_engine()
    _move(home)
    return home


def test_no_row_names_the_home(moved: Home) -> None:
    columns = _columns(moved)

    assert columns["workflows.session_dir"]
    assert columns["turns.stdout_path"]
    absolute = {name for name, paths in columns.items() if any(path[0] == "/" for path in paths)}
    assert absolute == {"workflows.work_dir"}


def test_what_was_printed_before_the_move_is_shown(moved: Home) -> None:
    id = moved.only()

    assert "printed by a" in moved.perles("logs", id).stdout
    session = Path(moved.json("show", id, "--json")["session_dir"])
    assert session.is_dir()
    assert session.is_relative_to(moved.root)
    log = moved.perles("dashboard", "--once", "--show", id, "--no-engine")
    assert log.returncode == 0, log.stderr
    assert moved.perles("maintenance", "check").stdout == ""


def test_a_retry_after_the_move_goes_on(moved: Home) -> None:
    (moved.work / "go").touch()
    retried = moved.perles("retry", moved.only(), "--start")
    assert retried.returncode == 0, retried.stderr

    new = next(row for row in moved.json("list", "--json") if row["state"] != "failed")
    ended = moved.perles("run", new["id"])

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert Path(moved.json("show", new["id"], "--json")["session_dir"]).is_relative_to(moved.root)


def test_pruning_after_the_move_leaves_no_folder(moved: Home) -> None:
    pruned = moved.perles("maintenance", "prune", "--older-than", "0s")

    assert pruned.returncode == 0, pruned.stderr
    assert not list((moved.root / "sessions").glob("*/*/wf-*"))


def test_an_open_turn_whose_home_was_moved_is_settled_by_what_it_printed(home: Home) -> None:
    home.perles("serve", "--detach")
    file = home.pipeline(
        "p", [{"key": "a", "run": "echo begun; until test -e go; do sleep .05; done"}]
    )
    id = home.perles("create", file).stdout.strip()
    home.perles("start", id)
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)
    home.kill_engine()
    _move(home)
    (home.work / "go").touch()

    ended = home.perles("run", id)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert home.json("show", id, "--json")["state"] == "completed"
    shown = [
        json.loads(event["payload"]) if isinstance(event["payload"], str) else event["payload"]
        for event in home.events("--type", "worker.output", id)
    ]
    assert [one["text"] for one in shown] == ["begun"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_first_releases_paths_become_relative(fresh_home: Home, when: str) -> None:
    """Also where its home was moved before it was upgraded."""
    home = fresh_home
    text = RELEASE.read_text().replace("/home/me/.perles", str(home.root))
    home.root.mkdir(mode=0o700)
    with closing(dbapi.connect(home.database)) as connection:
        connection.executescript(text)
        connection.execute("PRAGMA journal_mode=WAL")
        sessions = [row[0] for row in connection.execute("SELECT session_dir FROM workflows")]
    for session in filter(None, sessions):
        Path(session).mkdir(mode=0o700, parents=True)
    if when == "before":
        _move(home)

    migrate.ensure(home.database)

    columns = _columns(home)
    paths = columns["workflows.session_dir"] | columns["turns.stdout_path"]
    assert paths
    assert all(path.startswith("sessions/") for path in paths)
