"""How statements go to a server: how often, prepared or not, and what is left when one fails."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.domain.states import WORKFLOW
from perles.store import leadership, migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.reads import EventFilter, read_events
from perles.store.place import connect
from perles.store.reads.connection import keep, reading
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.store.writer import Writer
from tests.postgres.server import Server

WORKFLOWS = 12


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    migrate.ensure(path)
    made = Database(path)
    for number in range(WORKFLOWS):
        made.write(lambda tx, id=f"wf-{number:02}": _create(tx, id))  # type: ignore[misc]
    yield made
    made.dispose()


def _create(tx: Tx, id: str) -> None:
    tx.insert(Workflow, id=id, template_id="t", name=id, state="pending", work_dir="/")


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to the server: one item for each round trip."""
    from perles.store.postgres.exchange import Exchange, Part  # which need the driver

    found: list[str] = []
    ask, script = Exchange.ask, Exchange.script

    def asked(self: Exchange, parts: list[Part]) -> object:
        found.append("; ".join(part.text.decode() for part in parts))
        return ask(self, parts)

    def scripted(self: Exchange, text: str) -> object:
        found.append(text)
        return script(self, text)

    monkeypatch.setattr(Exchange, "ask", asked)
    monkeypatch.setattr(Exchange, "script", scripted)
    return found


async def test_a_transition_is_three_round_trips(database: Database, trips: list[str]) -> None:
    leadership.take(database)
    writer = Writer(database)
    writer.start()
    for number in range(2):  # so that secrets of its workflow are known
        await writer.write(lambda tx, n=number: fire(tx, WORKFLOW, "wf-00", ("start", "pause")[n]))  # type: ignore[misc]
    del trips[:]

    await writer.write(lambda tx: fire(tx, WORKFLOW, "wf-00", "resume"))

    writer.close()
    assert len(trips) == 3, trips
    assert trips[0].startswith("BEGIN; ")
    assert trips[-1].endswith("NOTIFY perles; COMMIT")


async def test_events_of_a_commit_are_two_round_trips(database: Database, trips: list[str]) -> None:
    writer = Writer(database)
    writer.start()
    del trips[:]

    await asyncio.gather(
        *(
            writer.write(lambda tx, n=n: journal.append(tx, "worker.output", {"n": n}))  # type: ignore[misc]
            for n in range(300)
        )
    )

    writer.close()
    commits = sum("COMMIT" in trip for trip in trips)
    assert (len(trips), commits < 30) == (2 * commits, True)
    with reading(database.path) as connection:
        events = read_events(connection, wanted=EventFilter(types=("worker.output",)))
    assert [event["payload"]["n"] for event in events] == list(range(300))


async def test_a_piece_whose_read_is_not_understood_fails_alone(database: Database) -> None:
    """The server takes nothing more of that transaction: the others go anew, each alone."""
    writer = Writer(database)
    writer.start()
    pieces = [
        lambda tx: _create(tx, "wf-a"),
        lambda tx: tx.execute("SELECT nothing FROM nowhere"),
        lambda tx: journal.append(tx, "worker.output", {}, workflow_id="wf-a"),
    ]

    told = await asyncio.gather(*map(writer.write, pieces), return_exceptions=True)

    writer.close()
    assert [isinstance(one, dbapi.ProgrammingError) for one in told] == [False, True, False]
    with reading(database.path) as connection:
        assert len(read_events(connection, wanted=EventFilter(types=("worker.output",)))) == 1


def test_a_read_asks_once_for_the_schema(database: Database, trips: list[str]) -> None:
    let_go = keep(database.path)
    try:
        with reading(database.path) as connection:
            assert connection is not None
        del trips[:]
        with reading(database.path) as connection:
            assert connection is not None
    finally:
        let_go()

    assert trips == ["SELECT version_num FROM alembic_version"]


def test_a_server_without_our_tables_has_no_schema(path: Path) -> None:
    assert migrate.current(path) is None
    with reading(path) as connection:
        assert connection is None


def test_a_transaction_that_does_nothing_does_not_ring(
    database: Database, trips: list[str]
) -> None:
    database.write(lambda tx: None)

    assert trips == []


def test_statements_are_prepared_and_take_values_of_any_kind(database: Database) -> None:
    values = [0, 70_000, 2**40, None, 1.5, "text"]
    connection = connect(database.path)
    for _ in range(4):
        for value in values:
            (row,) = connection.execute("SELECT CAST(? AS TEXT) AS said", (value,)).fetchall()
            assert row["said"] == (None if value is None else str(value))
        for number in range(WORKFLOWS):
            query = "SELECT name, token_budget FROM workflows WHERE id = :id AND :id = id"
            row = connection.execute(query, {"id": f"wf-{number:02}", "more": 1}).fetchone()
            assert tuple(row) == (f"wf-{number:02}", 0)
    named = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT name%'"
    assert connection.execute(named).fetchone()[0] == 1
    connection.close()


@pytest.mark.parametrize("times", range(1, 8))
def test_a_text_that_comes_often_in_one_batch_is_prepared_in_its_midst(
    database: Database, times: int
) -> None:
    connection = database.connect()
    for _ in range(2):
        connection.executemany(
            "UPDATE workflows SET name = ? WHERE id = ?",
            [(f"{times} {number}", f"wf-{number:02}") for number in range(times)],
        )
    names = [row[0] for row in connection.execute("SELECT name FROM workflows ORDER BY id")]
    connection.close()

    assert names[:times] == [f"{times} {number}" for number in range(times)]


def test_a_statement_that_fails_while_it_is_prepared_can_be_asked_again(
    database: Database,
) -> None:
    connection = connect(database.path)
    insert = (
        "INSERT INTO workflow_labels (workflow_id, key, value, created_at, updated_at) "
        "VALUES (?, ?, '', '', '')"
    )
    for workflow, key, fails in [
        *(("wf-00", f"k{n}", False) for n in range(2)),
        *(("wf-none", "k", True) for _ in range(4)),
        *(("wf-01", f"k{n}", False) for n in range(4)),
    ]:
        connection.execute("BEGIN IMMEDIATE")
        if fails:
            with pytest.raises(dbapi.IntegrityError):
                connection.execute(insert, (workflow, key))
            assert connection.in_transaction
            with pytest.raises(dbapi.Error):
                connection.execute(insert, ("wf-02", "k"))
            connection.execute("ROLLBACK")
        else:
            connection.execute(insert, (workflow, key))
            connection.execute("COMMIT")
    count = "SELECT count(*) FROM workflow_labels"
    assert connection.execute(count).fetchone()[0] == 6
    connection.close()


def test_rows_of_one_insert_keep_their_values(database: Database) -> None:
    connection = connect(database.path)
    connection.execute("BEGIN IMMEDIATE")
    rows = [
        ("wf-00", 'quote " and \\ and \n', "a\0b"),
        ("wf-00", "\\u0000", "€ 𝄞"),
        ("wf-01", "empty", ""),
    ]
    marks = "(workflow_id, key, value, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(f"INSERT INTO workflow_labels {marks}", [(*row, "", "") for row in rows])
    found = connection.execute("SELECT workflow_id, key, value FROM workflow_labels").fetchall()
    connection.execute("ROLLBACK")
    connection.close()

    assert [tuple(row) for row in found] == [
        (*row[:2], row[2].replace("\0", "\ufffd")) for row in rows
    ]


async def test_sessions_that_end_in_the_middle_of_a_batch_lose_and_double_nothing(
    database: Database, server: Server
) -> None:
    """Each piece writes a row and two events, some of them several statements."""
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    leadership.take(database)
    writer = Writer(database)
    writer.start()
    writer.be_patient()
    killing = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        f"datname = '{name}' AND application_name = 'perles engine'"
    )

    def piece(tx: Tx, id: str) -> None:
        journal.append(tx, "worker.output", {"id": id, "n": 1})
        if int(id[-1]) % 2:
            _create(tx, id)
        journal.append(tx, "worker.output", {"id": id, "n": 2})

    async def produce(producer: int) -> None:
        for number in range(15):
            await writer.write(lambda tx, id=f"wf-{producer:02}-{number:02}": piece(tx, id))  # type: ignore[misc]

    work = asyncio.gather(*(produce(producer) for producer in range(20)))
    while not work.done():
        await asyncio.to_thread(server.run, killing)
        await asyncio.sleep(0.02)
    await work
    writer.close()

    wanted = sorted(f"wf-{a:02}-{b:02}" for a in range(20) for b in range(15))
    with reading(database.path) as connection:
        assert connection is not None
        events = read_events(connection, wanted=EventFilter(types=("worker.output",)))
        rows = connection.execute("SELECT id FROM workflows WHERE length(id) = 8").fetchall()
    assert sorted(row[0] for row in rows) == [id for id in wanted if int(id[-1]) % 2]
    said = [(event["payload"]["id"], event["payload"]["n"]) for event in events]
    assert sorted(said) == [(id, n) for id in wanted for n in (1, 2)]
    assert said[::2] == [(id, 1) for id, _ in said[1::2]]  # each piece's events stand together
