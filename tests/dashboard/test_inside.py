"""What the inside of a workflow reads: a window at the end, however much there is."""

import json
import tracemalloc
from pathlib import Path

import pytest

from perles.dashboard.model.state import Detail, Inside, State, View
from perles.dashboard.reading.detail import MAX_TEXT, said
from perles.dashboard.reading.source import Source
from perles.store.database import Database
from perles.store.sqlite.driver import dbapi
from tests.benchmarks.bench import fill
from tests.benchmarks.dashboard import COUNT_OF_OUTPUT, fill_output
from tests.integration.cli import Home

MIB = 1024 * 1024


@pytest.fixture
def database(home: Home) -> Path:
    """One workflow whose coordinator said more than can be held."""
    fill(Database(home.database), 1, 1)
    fill_output(home.database, home.work / "stdout", COUNT_OF_OUTPUT // 100)
    return home.database


def _read(database: Path, tab: str, limit: int) -> Inside:
    source = Source(database)
    source.changed()
    state = State(screen="detail", detail=Detail("wf-00000000", tab, limit=limit))
    inside = source.view(state, View(), (140, 42)).inside
    source.close()
    assert inside is not None
    return inside


def test_no_more_is_held_than_a_window_however_far_one_scrolls_back(database: Path) -> None:
    body = _read(database, "coordinator", 20_000).body

    assert sum(len(record.text) for record in body) <= MAX_TEXT + 20_000
    assert "older than this" in body[0].text
    assert "the end" in body[-1].text


@pytest.mark.parametrize("tab", ["coordinator", "messages", "events", "log"])
def test_a_long_transcript_is_read_in_little_memory(database: Path, tab: str) -> None:
    _read(database, tab, 300)
    tracemalloc.start()

    body = _read(database, tab, 20_000).body

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * MIB
    assert "the end" in body[-1].text


@pytest.mark.parametrize("tab", ["tasks", "timeline", "log"])
def test_a_tab_that_is_read_whole_has_no_more(database: Path, tab: str) -> None:
    assert not _read(database, tab, 1).more


def test_a_command_for_a_worker_is_told_as_one() -> None:
    order = json.dumps({"task": "log", "attempt": 2, "run": "seq 5", "env": {}, "timeout": None})
    row = {"seq": 1, "created_at": "", "type": "worker.incoming",
           "payload": json.dumps({"from": "coordinator", "text": order})}  # fmt: skip

    assert said(row, "worker-1").text == "run log, attempt 2:\n```\nseq 5\n```"
    cut = {**row, "payload": json.dumps({"from": "x", "text": order[:20]})}
    assert said(cut, "worker-1").text == order[:20]


def test_a_log_of_a_gigabyte_is_read_from_its_end(database: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1024 * MIB)
        file.seek(0, 2)
        file.write(b"\nthe very end\n")
    connection = dbapi.connect(database)
    with connection:
        connection.execute("UPDATE turns SET stdout_path = ?", (str(huge),))
    connection.close()

    assert _read(database, "log", 300).body[-1].text == "the very end"


@pytest.mark.parametrize("tab", ["coordinator", "events"])
def test_what_came_after_one_scrolled_back_is_left_out(database: Path, tab: str) -> None:
    source = Source(database)
    source.changed()
    detail = Detail("wf-00000000", tab, up=5, until=100)
    inside = source.view(State(screen="detail", detail=detail), View(), (140, 42)).inside
    source.close()

    assert inside is not None
    assert max(record.key for record in inside.body) == 100
    assert inside.last > 100
