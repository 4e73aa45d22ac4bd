"""`perles db copy`: a home goes to a server and back, and is the same."""

import os
from pathlib import Path

import pytest

from perles.domain.errors import DatabaseError
from perles.domain.states import WORKFLOW
from perles.store import migrate, moving
from perles.store.database import Database
from perles.store.events.reads import read_events
from perles.store.place import engine_lock
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from tests.postgres.server import Server


def _fill(tx: Tx) -> None:
    for id, before in (("wf-b", None), ("wf-a", "wf-b")):
        tx.insert(
            Workflow,
            id=id,
            template_id="t",
            name="n€",
            state="pending",
            work_dir="/",
            cost_usd=0.1,
            retried_from=before,
        )
        fire(tx, WORKFLOW, id, "start")
        tx.insert(Agent, workflow_id=id, name="x", role="worker", provider="p", status="ready")


@pytest.fixture
def url(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which is not that of the home."""
    found = os.environ["PERLES_DATABASE"]
    monkeypatch.delenv("PERLES_DATABASE")
    return found


def test_a_home_goes_to_a_server_and_back(url: str, server: Server, tmp_path: Path) -> None:
    home = tmp_path / "old.db"
    migrate.ensure(home)
    database = Database(home)
    database.write(_fill)
    gone = database.write(
        lambda tx: tx.insert(
            Agent, workflow_id="wf-a", name="y", role="worker", provider="p", status="ready"
        )
    )
    assert gone == 3
    connection = database.connect()
    connection.execute("DELETE FROM agents WHERE id = 3")
    connection.close()

    there = moving.copy(str(home), url, tmp_path)
    back = moving.copy(url, str(tmp_path / "new.db"), tmp_path)

    assert there == back
    assert (there["workflows"], there["agents"], there["events"]) == (2, 2, 2)
    with reading(home) as old, reading(tmp_path / "new.db") as new:
        assert read_events(old) == read_events(new)
    new_database = Database(tmp_path / "new.db")
    assert (
        new_database.write(
            lambda tx: tx.insert(
                Agent, workflow_id="wf-a", name="z", role="worker", provider="p", status="ready"
            )
        )
        == 4
    )
    database.dispose()
    new_database.dispose()


def test_rows_that_point_at_rows_of_their_own_table_arrive(url: str, tmp_path: Path) -> None:
    home = tmp_path / "old.db"
    migrate.ensure(home)
    database = Database(home)
    ids = [f"wf-{number}" for number in range(6)]
    for id, before in zip(ids, [None, *ids], strict=False):
        database.write(
            lambda tx, id=id, before=before: tx.insert(  # type: ignore[misc]
                Workflow,
                **{"id": id, "template_id": "t", "name": "n", "state": "pending"},
                work_dir="/",
                retried_from=before,
            )
        )
    database.dispose()

    assert moving.copy(str(home), url, tmp_path)["workflows"] == 6


def test_what_is_filled_or_in_use_is_left_alone(url: str, tmp_path: Path) -> None:
    home = tmp_path / "old.db"
    migrate.ensure(home)
    database = Database(home)
    database.write(_fill)
    database.dispose()
    with engine_lock(home), pytest.raises(DatabaseError, match="engine runs"):
        moving.copy(str(home), url, tmp_path)
    moving.copy(str(home), url, tmp_path)

    with pytest.raises(DatabaseError, match="not empty"):
        moving.copy(str(home), url, tmp_path)


def test_a_row_that_arrives_changed_is_found(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "old.db"
    migrate.ensure(home)
    database = Database(home)
    database.write(_fill)
    database.dispose()
    fill = moving._fill

    def spoil(old: object, new: object, table: moving.Table) -> None:
        fill(old, new, table)
        if table.name == "agents":
            new.execute("UPDATE agents SET provider = 'q' WHERE id = 1")  # type: ignore[attr-defined]

    monkeypatch.setattr(moving, "_fill", spoil)
    with pytest.raises(DatabaseError, match="cannot copy agents"):
        moving.copy(str(home), url, tmp_path)
    monkeypatch.setattr(moving, "_fill", fill)

    assert moving.copy(str(home), url, tmp_path)["agents"] == 2
