"""Pieces of work that share a commit: events wait for it together, and what fails goes alone."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.domain.clock import ManualClock
from perles.domain.errors import StaleError
from perles.store import migrate
from perles.store.database import Database
from perles.store.events import journal
from perles.store.events.reads import read_events
from perles.store.pending_events import MOST, nature
from perles.store.reads.connection import reading
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from perles.store.writer import Writer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "perles.db"
    migrate.ensure(path)
    made = Database(path, ManualClock())
    yield made
    made.dispose()


def _workflow(tx: Tx, id: str) -> None:
    tx.insert(Workflow, id=id, template_id="t", name="n", state="pending", work_dir="/")


def _say(tx: Tx, text: str, workflow_id: str | None = None) -> None:
    journal.append(tx, "worker.output", {"text": text}, workflow_id=workflow_id)


def _said(database: Database) -> list[str]:
    with reading(database.path) as connection:
        return [event["payload"]["text"] for event in read_events(connection)]


async def _together(database: Database, pieces: list[Callable[[Tx], Any]]) -> list[Any]:
    """What becomes of pieces that share a commit."""
    started = threading.Event()
    writer = Writer(database)
    writer.start()
    held = asyncio.ensure_future(writer.write(lambda _: started.wait(30)))
    await asyncio.sleep(0)  # its commit is under way: what comes now shares the next one
    waiting = [asyncio.ensure_future(writer.write(piece)) for piece in pieces]
    await asyncio.sleep(0)
    started.set()
    told = await asyncio.gather(held, *waiting, return_exceptions=True)
    writer.close()
    return told[1:]


async def test_events_stand_in_the_order_of_their_pieces(database: Database) -> None:
    def create(tx: Tx) -> None:
        _workflow(tx, "wf-a")
        _say(tx, "2", "wf-a")

    told = await _together(
        database,
        [
            lambda tx: _say(tx, "1"),
            create,
            *(lambda tx, n=n: _say(tx, str(n), "wf-a") for n in range(3, 40)),
        ],
    )

    assert told == [None] * 39
    assert _said(database) == [str(n) for n in range(1, 40)]


def test_a_transaction_reads_its_own_events(database: Database) -> None:
    def work(tx: Tx) -> list[Any]:
        for n in range(MOST + 5):
            _say(tx, str(n))
        return tx.execute("SELECT count(*), max(payload) FROM events")

    ((count, last),) = database.write(work)

    assert (count, "999" in last) == (MOST + 5, True)
    assert _said(database) == [str(n) for n in range(MOST + 5)]


def test_what_events_belong_to_can_be_deleted_after_them(database: Database) -> None:
    def work(tx: Tx) -> None:
        _workflow(tx, "wf-a")
        _say(tx, "of wf-a", "wf-a")
        _say(tx, "of none")
        tx.execute("DELETE FROM workflows WHERE id = ?", ("wf-a",))

    database.write(work)

    assert _said(database) == ["of none"]


@pytest.mark.parametrize("place", [0, 1, 3])
async def test_an_event_that_cannot_stand_fails_its_own_piece_alone(
    database: Database, place: int
) -> None:
    pieces: list[Callable[[Tx], Any]] = [
        lambda tx, n=n: _say(tx, str(n))  # type: ignore[misc]
        for n in range(3)
    ]
    pieces.insert(place, lambda tx: _say(tx, "lost", "wf-none"))

    told = await _together(database, pieces)

    assert [isinstance(one, dbapi.IntegrityError) for one in told].index(True) == place
    assert [one for one in told if one is not None] == [told[place]]
    assert _said(database) == ["0", "1", "2"]


async def test_a_piece_that_wrote_the_events_of_others_leaves_them_when_it_fails(
    database: Database,
) -> None:
    def spoil(tx: Tx) -> None:
        _say(tx, "lost")
        assert len(tx.execute("SELECT seq FROM events")) == 3
        _workflow(tx, "wf-lost")
        raise StaleError("workflow", "wf-lost", "pending", "start")

    def after(tx: Tx) -> None:
        assert tx.get(Workflow, "wf-lost") is None
        _workflow(tx, "wf-a")
        _say(tx, "2", "wf-a")

    told = await _together(
        database, [lambda tx: _say(tx, "0"), lambda tx: _say(tx, "1"), spoil, after]
    )

    assert [type(one) for one in told] == [type(None), type(None), StaleError, type(None)]
    assert _said(database) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "writes", "meets"),
    [
        ("SELECT * FROM workflows", False, False),
        (" select seq from EVENTS", False, True),
        ("SELECT * FROM recent_events", False, True),
        ('UPDATE "workflows" SET name = ?', True, False),
        ("WITH a AS (SELECT 1) INSERT INTO tasks SELECT * FROM a", True, False),
        ("DELETE FROM workflows", True, True),
    ],
)
def test_what_a_statement_does(text: str, writes: bool, meets: bool) -> None:
    assert nature(text) == (writes, meets)
