"""Ids that somebody remembers are used once, and no command is overlooked whatever its number."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic
from sqlalchemy import create_engine

from perles.store import migrate
from perles.store.schema.tables import METADATA
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

ONCE = sorted(
    table.name for table in METADATA.sorted_tables if table.kwargs.get("sqlite_autoincrement")
)


def test_after_a_prune_of_all_there_was_the_same_engine_takes_commands(home: Home) -> None:
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    for _ in range(3):
        home.perles("run", file)
    pid = home.wait_for_engine()
    home.perles("maintenance", "prune", "--older-than", "0s")

    ran = home.perles("run", file)

    assert ran.returncode == 0
    assert home.engine_pid() == pid


def test_the_engine_takes_what_is_queued_whatever_its_number(home: Home) -> None:
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    home.perles("run", file)
    id = home.only()
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute(
            "INSERT INTO commands (id, workflow_id, kind, source, created_at, updated_at) "
            "VALUES (-7, ?, 'archive', 'user', '2026-01-01', '2026-01-01')",
            (id,),
        )

    home.wait_for("the command", lambda: home.json("list", "--json") == [])


@pytest.mark.parametrize("table", ONCE)
def test_an_id_that_is_remembered_is_not_used_again(migrated: Path, table: str) -> None:
    connection = dbapi.connect(f"file:{migrated}?mode=ro", uri=True)
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()

    assert "PRIMARY KEY AUTOINCREMENT" in sql


def test_commands_and_events_are_among_those() -> None:
    assert {"agents", "commands", "events", "messages", "tasks", "turns"} <= set(ONCE)


def test_an_upgrade_keeps_every_row_of_the_tables_it_makes_anew(tmp_path: Path) -> None:
    path = tmp_path / "perles.db"
    _at_revision(path, "0007")
    _fill(path)
    before = _dump(path)

    migrate.ensure(path)

    after = _dump(path)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows
    fresh = tmp_path / "fresh.db"
    migrate.ensure(fresh)
    assert _schema(path) == _schema(fresh)


def _at_revision(path: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{path}", module=dbapi)
    config = migrate.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, revision)
    engine.dispose()


def _fill(path: Path) -> None:
    at = "'2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'"
    connection = dbapi.connect(str(path))
    connection.executescript(f"""
        INSERT INTO workflows (id, template_id, name, state, work_dir, created_at, updated_at)
            VALUES ('wf-1', 't', 'n', 'running', '/', {at});
        INSERT INTO agents (id, workflow_id, name, role, provider, status, holds, created_at,
            updated_at) VALUES (7, 'wf-1', 'coordinator', 'coordinator', 'p', 'ready', 3, {at});
        INSERT INTO turns (id, workflow_id, agent_id, number, status, prompt, stdout_path,
            stderr_path, created_at, updated_at)
            VALUES (5, 'wf-1', 7, 1, 'succeeded', 'x', 'o', 'e', {at});
        INSERT INTO messages (agent_id, sender, sender_kind, body, turn_id, created_at, updated_at)
            VALUES (7, 'user', 'user', 'hello', 5, {at});
        INSERT INTO tasks (id, workflow_id, key, title, status, worker, created_at, updated_at)
            VALUES (3, 'wf-1', 'a', 'A', 'ready', 'worker-1', {at});
        INSERT INTO channels (id, workflow_id, slug, created_at, updated_at)
            VALUES (1, 'wf-1', 'root', {at});
        INSERT INTO posts (id, channel_id, author, body, created_at, updated_at)
            VALUES (2, 1, 'worker-1', 'x', {at});
        INSERT INTO events (type, payload, created_at) VALUES ('engine.started', '{{}}', 'x');
        INSERT INTO commands (id, workflow_id, agent_id, kind, source, request_key, created_at,
            updated_at) VALUES (9, 'wf-1', 7, 'send', 'mcp', 'k', {at});
    """)
    connection.close()


def _dump(path: Path) -> dict[str, list[Any]]:
    connection = dbapi.connect(str(path))
    connection.row_factory = dbapi.Row
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    found = {
        table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
        for table in ONCE
        if table in there  # the others are of a later version
    }
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return found


def _schema(path: Path) -> dict[str, str]:
    connection = dbapi.connect(str(path))
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    made = dict(found.fetchall())
    connection.close()
    return made
