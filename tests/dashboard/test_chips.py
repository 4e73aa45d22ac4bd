"""Counts by state stand below the table, and filter it."""

from dataclasses import replace

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.chips import STATES, toggled
from perles.dashboard.model.state import Notice, State, View
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.dispatch import press
from perles.domain.states import WORKFLOW
from tests.dashboard.views import pressed, table
from tests.integration.cli import Home
from tests.integration.crew import Crew

COUNTS = {"running": 2, "failed": 1, "completed": 12}


def _view(size: tuple[int, int]) -> View:
    view = table(3, size)
    return view._replace(totals=view.totals._replace(states=COUNTS))


def _status(state: State, view: View) -> str:
    _, frame = Composer().compose(state, view)
    return "".join(part.text for part in frame.lines[-2]).rstrip()


def test_there_is_a_chip_for_each_state() -> None:
    assert sorted(STATES) == sorted(WORKFLOW.states)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(80, "1 ● 2 running  4 ✗ 1 failed  5 ✓ 12 completed"), (40, "1 ●2  4 ✗1  5 ✓12")],
)
def test_counts_stand_below_the_table(columns: int, shown: str) -> None:
    assert _status(State(), _view((columns, 24))).startswith(shown)


def test_what_is_to_be_said_comes_before_the_counts() -> None:
    assert "running" not in _status(replace(State(), notice=Notice("paused it")), _view((80, 24)))


def test_a_digit_filters_and_again_does_not() -> None:
    state, _ = pressed(State(), _view((80, 24)), "4")
    assert state.table.filter.text == "state:failed"

    other, _ = pressed(state, _view((80, 24)), "1")
    assert other.table.filter.text == "state:running"
    assert pressed(other, _view((80, 24)), "1")[0].table.filter.text == ""


def test_other_words_of_the_filter_stay() -> None:
    assert toggled("state:failed agent:codex x", "running") == "state:running agent:codex x"
    assert toggled("state:running agent:codex x", "running") == "agent:codex x"


def test_a_click_on_a_chip_filters_by_it_also_behind_a_filter() -> None:
    view = _view((100, 24))
    state, _ = press(State(), Key("click", "", _status(State(), view).index("failed"), 22), view)
    assert state.table.filter.text == "state:failed"

    x = _status(state, view).index("completed")
    assert press(state, Key("click", "", x, 22), view)[0].table.filter.text == "state:completed"
    assert press(state, Key("click", "", 1, 22), view)[0].table == state.table
    assert press(state, Key("click", "", 99, 22), view)[0].table == state.table


def test_counts_are_those_of_the_database_without_the_archived(crew: Crew, home: Home) -> None:
    crew.workflow("wf-bbbbbbbb", "failed", tokens_used=5)
    crew.workflow("wf-cccccccc", "failed", archived_at=crew.at(minutes=1), tokens_used=7)
    crew.workflow("wf-dddddddd", "pending", start_requested_at=crew.at(minutes=1))
    source = Source(home.database)
    source.changed()
    totals = source.view(State(), View(), (80, 24)).totals
    source.close()

    assert totals.states == {"running": 1, "failed": 1, "pending": 1}
    assert (totals.workflows_running, totals.tokens, totals.queued) == (1, 12, 1)
