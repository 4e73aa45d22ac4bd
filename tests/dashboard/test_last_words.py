"""What an agent said last stands in its workflow's row, where there is room."""

from perles.dashboard.frames.table import draw
from perles.dashboard.model.state import State, View
from perles.dashboard.reading.source import Source
from perles.store.reads import dashboard
from tests.integration.cli import Home
from tests.integration.crew import Crew
from tests.postgres.effort import effort

ID = "wf-aaaaaaaa"


def _rows(home: Home, columns: int) -> str:
    source = Source(home.database)
    source.changed()
    view = source.view(State(), View(), (columns, 30))
    source.close()
    return "\n".join("".join(part.text for part in line) for line in draw(State(), view)[:4])


def test_wide_rows_have_the_last_words_and_narrow_ones_do_not(home: Home) -> None:
    path = home.pipeline("talk", [{"key": "a", "run": "echo first words; echo; echo last words"}])
    assert home.perles("run", path).returncode == 0

    assert "last words" in _rows(home, 160)
    assert "SAID LAST" in _rows(home, 160)
    assert "words" not in _rows(home, 120)


def test_words_are_looked_for_among_the_newest_events_alone(crew: Crew) -> None:
    agent = crew.agent(ID, "worker-1")

    def costs_now(events: int) -> int:
        for _ in range(events):
            crew.event("agent.usage", {}, at=crew.now, workflow_id=ID, agent_id=agent)
        with crew.reading() as connection:
            assert dashboard.last_words(connection, ID) == ""
            return effort(connection, lambda: dashboard.last_words(connection, ID))

    few = costs_now(100)

    assert costs_now(900) <= few + 1
