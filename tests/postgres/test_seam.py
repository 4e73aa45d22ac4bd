"""The store on a PostgreSQL server does what it does on SQLite's file."""

import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from perles.domain.clock import ManualClock
from perles.domain.errors import DatabaseError, StaleError, UsageError
from perles.domain.states import WORKFLOW
from perles.store import migrate
from perles.store.database import Database
from perles.store.events.reads import EventFilter, last_seq, read_events
from perles.store.reads.connection import keep, reading
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from perles.store.transition import fire
from tests.postgres.server import Server


@pytest.fixture
def database(path: Path) -> Database:
    migrate.ensure(path)
    made = Database(path, ManualClock())
    made.write(lambda tx: _workflow(tx, "wf-a"))
    return made


def _workflow(tx: Tx, id: str) -> None:
    tx.insert(Workflow, id=id, template_id="t", name="50% a:b?", state="pending", work_dir="/")


def test_a_transition_commits_with_its_event(database: Database) -> None:
    database.write(lambda tx: fire(tx, WORKFLOW, "wf-a", "start"))

    with reading(database.path) as connection:
        (event,) = read_events(connection, wanted=EventFilter(types=("workflow.*",)))
    assert (event["type"], event["workflow_id"]) == ("workflow.started", "wf-a")
    with database.reader() as reader:
        assert reader.need(Workflow, "wf-a").state == "running"
    with pytest.raises(StaleError):
        database.write(lambda tx: fire(tx, WORKFLOW, "wf-a", "pause", expect_version=7))


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_goes_on(
    database: Database,
) -> None:
    def work(tx: Tx) -> None:
        fire(tx, WORKFLOW, "wf-a", "start")
        raise RuntimeError("after the event")

    with pytest.raises(RuntimeError):
        database.write(work)
    with pytest.raises(DatabaseError, match="duplicate key"):
        database.write(lambda tx: _workflow(tx, "wf-a"))

    with reading(database.path) as connection:
        assert last_seq(connection) == 0
    database.write(lambda tx: _workflow(tx, "wf-b"))


def test_rows_are_those_of_sqlite(database: Database) -> None:
    def work(tx: Tx) -> int:
        return tx.insert(
            Agent, workflow_id="wf-a", name="x\0y", role="worker", provider="p", status="ready"
        )

    first = database.write(work)

    with reading(database.path) as connection:
        assert connection is not None
        query = "SELECT id, name, cost_usd FROM agents WHERE id = :id AND name LIKE 'X%'"
        row = connection.execute(query, {"id": first, "more": 1}).fetchone()
        assert dict(row) == {"id": first, "name": "x\ufffdy", "cost_usd": 0.0}
        assert (row[0], row["id"], row.keys(), len(row)) == (
            *(first, first),
            ["id", "name", "cost_usd"],
            3,
        )
        with pytest.raises(IndexError):
            row["none"]
        query = (
            "SELECT sum(token_budget), count(*), max(name), name GLOB '5*[b-c][?]' "
            "FROM workflows GROUP BY name"
        )
        assert tuple(connection.execute(query).fetchone()) == (0, 1, "50% a:b?", 1)
        with pytest.raises(dbapi.Error):
            connection.execute("DELETE FROM workflows")


def test_writers_come_one_after_the_other(database: Database) -> None:
    """Each reads what the one before committed: nothing is lost, and no event comes late."""

    def count() -> None:
        own = Database(database.path)
        for _ in range(20):
            own.write(_one_more)
        own.dispose()

    def _one_more(tx: Tx) -> None:
        tx.update(Workflow, "wf-a", token_budget=tx.need(Workflow, "wf-a").token_budget + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.reader() as reader:
        assert reader.need(Workflow, "wf-a").token_budget == 80


def test_connections_that_are_cut_are_opened_again(database: Database, server: Server) -> None:
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        tx.update(Workflow, "wf-a", token_budget=tx.need(Workflow, "wf-a").token_budget + 1)
        if len(calls) == 1:
            server.run(cut)

    with database.reader() as reader:
        assert reader.need(Workflow, "wf-a").token_budget == 0
        database.write(work)
        assert reader.need(Workflow, "wf-a").token_budget == 1
    assert len(calls) == 2


def test_a_write_waits_for_a_server_that_went_away_in_the_middle_of_it(
    database: Database, server: Server
) -> None:
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    back = threading.Timer(1.0, server.run, [f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"])
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        if len(calls) == 1:
            server.run(
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) "
                f"FROM pg_stat_activity WHERE datname = '{name}'"
            )
            back.start()
        tx.update(Workflow, "wf-a", token_budget=1)

    try:
        database.write(work)
    finally:
        back.join()

    with database.reader() as reader:
        assert reader.need(Workflow, "wf-a").token_budget == 1


def test_a_fork_leaves_the_sessions_of_its_parent_alone(database: Database) -> None:
    def session() -> int:
        with reading(database.path) as connection:
            assert connection is not None
            return int(connection.execute("SELECT pg_backend_pid()").fetchone()[0])

    let_go = keep(database.path)
    try:
        before = session()
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if session() != before else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        assert session() == before
    finally:
        let_go()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/x", "refused"),
        ("postgresql://me:hidden@/x?host=/nowhere", "No such file"),
    ],
)
def test_what_cannot_be_reached_is_told_without_the_password(
    url: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("PERLES_DATABASE", url)

    with pytest.raises(DatabaseError, match=says) as caught:
        migrate.ensure(tmp_path / "perles.db")

    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_kind_of_database_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERLES_DATABASE", "mysql://me:hidden@host/x")

    with pytest.raises(UsageError, match="cannot use this database") as caught:
        migrate.ensure(tmp_path / "perles.db")

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("column", ["id", "priority", "created_at"])
@pytest.mark.parametrize(("word", "found"), [("IN ()", 0), ("NOT IN ( )", 1), ("not  in()", 1)])
def test_a_list_may_be_empty(database: Database, column: str, word: str, found: int) -> None:
    """SQLite allows that: nothing is in such a list."""
    query = f"SELECT count(*) FROM workflows WHERE {column} {word}"
    with database.reader() as reader, closing(dbapi.connect(":memory:")) as sqlite:
        sqlite.execute("CREATE TABLE workflows (id TEXT, priority INTEGER, created_at TEXT)")
        sqlite.execute("INSERT INTO workflows VALUES ('wf-a', 1, '')")

        assert reader.execute(query)[0][0] == found
        assert sqlite.execute(query).fetchone()[0] == found
