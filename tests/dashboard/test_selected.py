"""Below a table that leaves room stands a preview of the selected workflow, and is live."""

from dataclasses import replace

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.preview import Preview
from perles.dashboard.model.state import State, View
from perles.dashboard.reading.preview import EVENTS, Previews
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.dispatch import press
from tests.dashboard.views import preview, table
from tests.integration.cli import Home
from tests.integration.crew import Crew
from tests.postgres.effort import statements

SIZE = (120, 40)
ONE, TWO = "wf-aaaaaaaa", "wf-bbbbbbbb"


def _text(state: State, view: View) -> str:
    _, frame = Composer().compose(state, view)
    return "\n".join("".join(part.text for part in line).rstrip() for line in frame.lines)


def _says(crew: Crew, id: str, agent: int, text: str, kind: str = "text") -> None:
    payload = {"kind": kind, "text": text, "name": "Bash", "done": False}
    crew.event("worker.output", payload, at=crew.now, workflow_id=id, agent_id=agent)


@pytest.mark.parametrize("size", [(120, 40), (60, 30), (80, 30)])
def test_the_lower_half_tells_of_the_selected_workflow(size: tuple[int, int]) -> None:
    text = _text(State(), preview(size))

    assert "── workflow 0 ──" in text
    assert "see notes.md" in text
    if size[0] > 60:
        assert "● b task b" in text
        assert "○ worker-1 ready" in text


@pytest.mark.parametrize(("size", "count"), [((120, 29), 3), ((120, 40), 26), ((120, 40), 0)])
def test_rows_come_before_the_preview(size: tuple[int, int], count: int) -> None:
    assert "see notes.md" not in _text(State(), preview(size, count))


def test_what_was_read_of_another_row_is_not_shown() -> None:
    state = replace(State(), table=replace(State().table, cursor=1))

    assert "see notes.md" not in _text(state, preview(SIZE))


def test_a_workflow_that_has_not_begun_has_a_preview() -> None:
    text = _text(State(), table(3, SIZE)._replace(preview=Preview("wf-00000000")))

    assert "no task yet" in text
    assert "its agents said nothing yet" in text


def test_tab_goes_in() -> None:
    state, _ = press(State(), Key("tab"), preview(SIZE))

    assert state.detail is not None
    assert state.detail.workflow_id == "wf-00000000"


def test_the_preview_is_of_the_selected_row_and_follows_what_is_said(
    crew: Crew, home: Home
) -> None:
    crew.workflow(TWO)
    agents = {id: crew.agent(id, "worker-1") for id in (ONE, TWO)}
    crew.turn(ONE, agents[ONE], started_at=crew.at(minutes=6))
    crew.task(ONE, "unit", "in_progress")
    for id in (ONE, TWO):
        _says(crew, id, agents[id], f"hello from {id}")
    source = Source(home.database)
    source.changed()
    view = source.view(State(), View(), SIZE)
    at = view.ids.index(ONE)
    state = replace(State(), table=replace(State().table, cursor_id=ONE, cursor=at))
    text = _text(state, source.view(state, view, SIZE))

    assert f"hello from {ONE}" in text
    assert f"hello from {TWO}" not in text
    assert "worker-1 working turn 6m" in text

    _says(crew, ONE, agents[ONE], "and now this")
    source.changed()
    assert "and now this" in _text(state, source.view(state, view, SIZE))
    source.close()


def test_nothing_is_read_anew_while_the_workflow_stays_as_it_is(crew: Crew) -> None:
    crew.workflow(TWO)
    agent = crew.agent(ONE, "worker-1")
    _says(crew, ONE, agent, "one")
    previews = Previews()
    with crew.reading() as connection:
        asked = statements(connection)
        first = previews.look(connection, ONE)
        once = len(asked)
        _says(crew, TWO, crew.agent(TWO, "worker-1"), "elsewhere")

        assert previews.look(connection, ONE) is first
        assert len(asked) == once + 1


def test_a_preview_reads_a_bounded_part_of_what_was_said(crew: Crew) -> None:
    for number in range(2):
        agent = crew.agent(ONE, f"worker-{number}")
        for count in range(EVENTS):
            _says(crew, ONE, agent, f"call {count}", "tool")
    with crew.reading() as connection:
        said = Previews().look(connection, ONE).said

    assert len(said) == EVENTS
    assert said[-1].text.endswith(f"call {EVENTS - 1}")
