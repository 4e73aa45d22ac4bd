"""Who leads on a server: by a lock that a session holds, and an epoch that each write checks."""

import asyncio
import os
from pathlib import Path

import pytest

from perles.domain.errors import EngineRunsError, LostLeadError
from perles.store import leadership, migrate
from perles.store.database import Database
from perles.store.place import address_of, engine_lock
from perles.store.reads.connection import reading
from perles.store.reads.engine import trouble
from perles.store.schema.engine import Engine as EngineRow
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from perles.store.writer import Writer
from tests.postgres.server import Server

LONG_AGO = "2026-01-01T00:00:00.000Z"


def _create(tx: Tx, id: str) -> None:
    tx.insert(Workflow, id=id, template_id="t", name=id, state="pending", work_dir="/")


def _ids(database: Database) -> list[str]:
    with database.reader() as reader:
        return [row[0] for row in reader.execute("SELECT id FROM workflows ORDER BY id")]


def _end(server: Server, application: str) -> None:
    name = os.environ["PERLES_DATABASE"].split("/")[3].partition("?")[0]
    server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        f"datname = '{name}' AND application_name LIKE '{application}%'"
    )


def test_one_holds_the_lock_and_its_end_frees_it(path: Path) -> None:
    migrate.ensure(path)
    first, second = engine_lock(path), engine_lock(path)

    with first:
        assert second.is_held()
        with pytest.raises(EngineRunsError):
            second.acquire()
        assert not first.keep()

    assert not second.is_held()
    with second:
        assert first.is_held()
    first.release()


def test_who_is_refused_is_told_which_engine_runs(path: Path) -> None:
    told = rf"\(pid {os.getpid()}\)"
    with engine_lock(path), pytest.raises(EngineRunsError, match=told):
        engine_lock(path).acquire()
    migrate.ensure(path)
    database = Database(path)
    row = {"pid": 4711, "host": "box1", "boot_id": "b", "version": "1"}
    long_ago = {"started_at": LONG_AGO, "heartbeat_at": LONG_AGO}
    database.write(lambda tx: tx.insert(EngineRow, id=1, **row, **long_ago))

    with engine_lock(path), reading(path) as connection:  # of the one before is that row
        assert connection is not None
        assert trouble(connection) is None
        with pytest.raises(EngineRunsError, match=told):
            engine_lock(path).acquire()
    assert engine_lock(path).holder() is None
    database.dispose()


def test_a_lock_whose_session_was_cut_is_taken_again_unless_another_leads(
    path: Path, server: Server
) -> None:
    migrate.ensure(path)
    lock = engine_lock(path)
    lock.acquire()
    _end(server, "perles engine lock")

    assert lock.keep()

    _end(server, "perles engine lock")
    with engine_lock(path), pytest.raises(EngineRunsError):
        lock.keep()
    lock.release()


def test_nothing_lands_of_a_leader_that_slept_in_the_middle_of_a_write(path: Path) -> None:
    """Its transaction is open, and holds the lock of writers, when another one takes over."""
    migrate.ensure(path)
    old, new = Database(path), Database(path)
    assert leadership.take(old) == 1
    sleeping = old.connect()
    sleeping.execute("BEGIN IMMEDIATE")
    query = (
        "INSERT INTO workflows (id, template_id, name, state, work_dir, created_at, updated_at) "
        "VALUES ('wf-old', 't', 'n', 'pending', '/', '', '')"
    )
    sleeping.execute(query)

    assert leadership.take(new) == 2

    new.write(lambda tx: _create(tx, "wf-new"))
    with pytest.raises(dbapi.OperationalError):
        sleeping.execute(query.replace("wf-old", "wf-older"))
    sleeping.execute("BEGIN IMMEDIATE")
    with pytest.raises(LostLeadError):
        sleeping.execute(query.replace("wf-old", "wf-older"))
    with pytest.raises(dbapi.OperationalError):
        sleeping.execute("COMMIT")
    with pytest.raises(LostLeadError):
        old.write(lambda tx: _create(tx, "wf-older"))
    assert _ids(new) == ["wf-new"]
    sleeping.close()


async def test_the_writer_of_a_leader_that_was_replaced_says_so(path: Path) -> None:
    migrate.ensure(path)
    old = Database(path)
    told: list[LostLeadError] = []
    leadership.take(old)
    writer = Writer(old, told.append)
    writer.start()
    await writer.write(lambda tx: _create(tx, "wf-a"))
    writer.be_patient()

    await asyncio.to_thread(leadership.take, Database(path))

    with pytest.raises(LostLeadError):
        await writer.write(lambda tx: _create(tx, "wf-b"))
    writer.close()
    assert len(told) == 1
    assert _ids(old) == ["wf-a"]


async def test_a_writer_that_was_replaced_in_the_middle_of_a_write_says_so(path: Path) -> None:
    """It first hears that its session is gone, and only when it tries again who leads."""
    migrate.ensure(path)
    old = Database(path)
    told: list[LostLeadError] = []
    leadership.take(old)
    writer = Writer(old, told.append)
    writer.start()
    writer.be_patient()

    def work(tx: Tx) -> None:
        leadership.take(Database(path))  # which ends this session
        _create(tx, "wf-a")

    with pytest.raises(LostLeadError):
        await writer.write(work)
    writer.close()
    assert len(told) == 1
    assert _ids(old) == []


async def test_commits_survive_the_end_of_their_sessions(path: Path, server: Server) -> None:
    """Sessions are ended at random: each piece of work is done once, and none is lost."""
    migrate.ensure(path)
    database = Database(path)
    leadership.take(database)
    writer = Writer(database)
    writer.start()
    writer.be_patient()

    async def work() -> None:
        for group in range(10):
            pieces = [f"wf-{group:02}-{piece:02}" for piece in range(10)]
            await asyncio.gather(
                *(writer.write(lambda tx, id=one: _create(tx, id)) for one in pieces)  # type: ignore[misc]
            )

    task = asyncio.create_task(work())
    while not task.done():
        await asyncio.to_thread(_end, server, "perles engine")
        await asyncio.sleep(0.1)
    await task
    writer.close()

    assert len(_ids(database)) == 100
    assert address_of(path) is not None
