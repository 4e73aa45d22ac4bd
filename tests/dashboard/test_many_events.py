"""What a look at one workflow costs does not grow with its journal."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.dashboard.model.state import Detail
from perles.dashboard.reading.detail import read_inside
from perles.store.reads import current_work, dashboard, inbox
from perles.store.reads.connection import reading
from perles.store.sqlite.driver import dbapi
from tests.integration.crew import Crew
from tests.postgres.effort import effort

TABS = ("coordinator", "worker-1", "messages", "tasks", "timeline", "events", "log")
FEW, MANY = 3_000, 30_000
ID = "wf-aaaaaaaa"


@pytest.fixture
def noisy(tmp_path: Path, migrated: Path) -> Iterator[Crew]:
    """A workflow in which a worker says much, and the coordinator little."""
    path = tmp_path / "perles.db"
    path.write_bytes(migrated.read_bytes())
    made = Crew(path)
    made.workflow(ID)
    made.agent(ID, "coordinator")
    made.agent(ID, "worker-1")
    made.task(ID, "a", "in_progress")
    with closing(made):
        yield made


def _say(crew: Crew, agent_id: int, type: str, count: int) -> None:
    payload = json.dumps({"v": 1, "kind": "text", "text": "a line of work"})
    rows = [(ID, agent_id, type, payload, "2026-01-01T00:00:00.000Z")] * count
    insert = "INSERT INTO events (workflow_id, agent_id, type, payload, created_at) "
    with closing(dbapi.connect(str(crew.path))) as connection, connection:
        connection.executemany(f"{insert} VALUES (?, ?, ?, ?, ?)", rows)


def _steps(connection: Any, tab: str) -> int:
    def look() -> None:
        rows = {key: dict(row) for key, row in dashboard.rows(connection, [ID]).items()}
        read_inside(connection, Detail(ID, tab), rows[ID])
        inbox.inbox(connection)
        current_work.nudges(connection, ID)

    return effort(connection, look)


def test_a_look_costs_the_same_however_many_events_there_are(noisy: Crew) -> None:
    _say(noisy, 1, "coordinator.output", 100)
    _say(noisy, 2, "worker.output", FEW)
    with reading(noisy.path) as connection:
        assert connection is not None
        few = {tab: _steps(connection, tab) for tab in TABS}
    _say(noisy, 2, "worker.output", MANY - FEW)

    with reading(noisy.path) as connection:
        assert connection is not None
        many = {tab: _steps(connection, tab) for tab in TABS}

    assert {tab: many[tab] / few[tab] for tab in TABS if many[tab] > 1.5 * few[tab] + 10} == {}
