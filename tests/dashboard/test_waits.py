"""What a workflow does or waits for stands in its row and on its head."""

from typing import Any

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.frames.parts import doing_of, note_of
from perles.dashboard.model.state import Detail, State, View
from perles.dashboard.reading import current_work
from perles.dashboard.reading.current_work import Waits
from perles.dashboard.reading.source import Source
from perles.store.reads.current_work import Wait
from perles.store.schema.agents import ProviderLimit
from tests.dashboard.views import NOW, inside, row, table
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-aaaaaaaa"
RUNS = {"state": "running", "health": "healthy"}
LIMITED = Wait("rate limited until 10:32 (claude)")


def _row_of(home: Home, state: State, id: str = ID) -> Any:
    source = Source(home.database)
    source.changed()
    view = source.view(state, View(), (140, 42))
    source.close()
    return view.inside.row if view.inside is not None else view.rows[id]


@pytest.mark.parametrize("state", [State(), State(screen="detail", detail=Detail(ID))])
def test_a_row_knows_what_its_agents_do(crew: Crew, home: Home, state: State) -> None:
    task = crew.task(ID, "unit", "in_progress", run="pytest -q")
    agent = crew.agent(ID, "worker-1", task_id=task)
    crew.turn(ID, agent, started_at=crew.at(minutes=6))

    (wait,) = _row_of(home, state)["doing"]

    assert wait.text == "worker-1: pytest -q"
    assert wait.since == crew.at(minutes=6)


def test_a_row_and_its_head_tell_a_quota_that_is_nearly_used_up(crew: Crew, home: Home) -> None:
    crew.agent(ID, "worker-1", provider="claude", status="working")
    later = crew.at(minutes=-60)
    for window, used, resets in (("5h", 0.93, later), ("7d", 0.5, later), ("old", 0.99, "2020")):
        crew.insert(
            ProviderLimit,
            id=f"claude/{window}",
            provider="claude",
            window=window,
            used=used,
            resets_at=resets,
        )

    assert [wait.text for wait in _row_of(home, State())["doing"]] == []
    task = crew.task(ID, "unit", "in_progress")
    crew.turn(ID, crew.agent(ID, "worker-2", provider="claude", task_id=task))
    doing, quota = _row_of(home, State())["doing"]
    assert doing.text.startswith("worker-2: ")
    assert quota.text.startswith("5h quota of claude 93% used, anew at ")


def test_a_row_that_waits_in_line_knows_its_place(crew: Crew, home: Home) -> None:
    crew.workflow("wf-bbbbbbbb", "pending", start_requested_at=crew.at(minutes=5))
    crew.workflow("wf-cccccccc", "paused", start_requested_at=crew.at(minutes=2))

    found = _row_of(home, State(), "wf-cccccccc")

    assert note_of(found, NOW, 40)[0] == "waiting, 2nd in line"


def test_what_is_known_is_not_looked_up_again(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []

    def look(_connection: Any, ids: Any, _now: Any) -> dict[str, Any]:
        looked.append(ids)
        return {}

    monkeypatch.setattr(current_work, "doings", look)
    monkeypatch.setattr(current_work, "unread_posts", lambda _connection, _ids: {})
    kept = Waits()
    for mark in (1.0, 1.0, 2.0):
        kept.add(None, {ID: row(0, id=ID)}, mark)  # type: ignore[arg-type]

    assert looked == [[ID], [ID]]


@pytest.mark.parametrize(
    ("given", "columns", "note"),
    [
        ({**RUNS, "doing": (Wait("worker-1: make", "2030-03-17T17:40:40.000Z"),)}, 40,
         "worker-1: make, 6m"),
        ({**RUNS, "doing": (Wait("worker-1: make", "2030-03-17T17:40:40.000Z"),)}, 16,
         "w1: make, 6m"),
        ({**RUNS, "doing": (LIMITED, LIMITED)}, 60, "rate limited until 10:32 (claude) (+1)"),
        ({**RUNS, "doing": ()}, 40, ""),
        ({**RUNS, "attention": "stuck", "doing": (LIMITED,)}, 60,
         "stuck; rate limited until 10:32 (claude)"),
        ({**RUNS, "attention": "waiting for you", "asked": "Deploy?", "doing": (LIMITED,)}, 60,
         "for you: Deploy?; rate limited until 10:32 (claude)"),
        ({**RUNS, "attention": "waiting for you", "asked": "Deploy?", "doing": (LIMITED,)}, 30,
         "for you: Deploy?"),
        ({"state": "pending", "start_requested_at": "x", "queue_place": 3,
          "reason": "waiting for a port"}, 60, "waiting for a port, 3rd in line"),
        ({"state": "pending", "start_requested_at": "x", "queue_place": 3,
          "reason": "waiting for a port"}, 24, "waiting fo…, 3rd in line"),
        ({"state": "pending", "start_requested_at": None}, 60, "not started"),
        ({"state": "paused", "reason": "over budget"}, 60, "over budget"),
    ],
)  # fmt: skip
def test_the_note_of_a_row(given: dict[str, Any], columns: int, note: str) -> None:
    assert note_of(row(0, **given), NOW, columns)[0] == note


def test_a_long_command_is_cut_but_its_time_is_not() -> None:
    doing = (Wait("worker-2: " + "x" * 200, "2030-03-17T17:40:40.000Z"), LIMITED)

    said = doing_of(doing, NOW, 30)

    assert said.startswith("w2: xxx")
    assert said.endswith("…, 6m (+1)")
    assert len(said) == 30


@pytest.mark.parametrize("size", [(80, 24), (140, 42)])
@pytest.mark.parametrize("state", [State(), State(screen="detail", detail=Detail("wf-00000000"))])
def test_it_stands_on_the_screen(size: tuple[int, int], state: State) -> None:
    view = table(3, size) if state.detail is None else inside(size)

    _, frame = Composer().compose(state, view)

    text = "\n".join("".join(part.text for part in line) for line in frame.lines)
    assert "1: pytest -q, 6m" in text
