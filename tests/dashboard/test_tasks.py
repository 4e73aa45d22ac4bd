"""The tab of tasks: one is selected, Enter shows all of it."""

from dataclasses import replace
from typing import Any

import pytest

from perles.dashboard.frames import tree as tree_module
from perles.dashboard.frames.compose import Composer
from perles.dashboard.frames.parts import TASK_GLYPHS
from perles.dashboard.frames.tree import tree
from perles.dashboard.model.state import Detail, State, View, tabs_of
from perles.dashboard.reading.source import Source
from perles.store.database import Database
from tests.benchmarks.bench import fill
from tests.dashboard.views import inside, pressed
from tests.integration.cli import Home

ID = "wf-00000000"
MORE: dict[str, Any] = {
    "body": "do it\nwell",
    "report": "done",
    "reviewer": "worker-2",
    "verdict": "denied",
    "denials": 1,
    "blocked": None,
    "cut_off": 0,
    "comments": [
        {
            "at": "2030-03-17T17:30:00.000Z",
            "author": "worker-2",
            "kind": "denied",
            "attempt": 1,
            "round": 1,
            "text": "no test \x1b[31m[red]",
        }
    ],
    "receipt": {
        "branch": "main",
        "base": "",
        "commits": [
            {
                "id": "ab" * 20,
                "subject": "Do it",
                "files": ["a.py"],
                "changed": 1,
                "on_branch": True,
            }
        ],
    },
}


def _view(count: int = 3, size: tuple[int, int] = (100, 24)) -> View:
    view = inside(size)
    assert view.inside is not None
    first = view.inside.tasks[0]
    tasks = [*view.inside.tasks, *({**first, "key": f"t{n}"} for n in range(count - 3))]
    shown = view.inside._replace(tab="tasks", body=[], tasks=[{**one, **MORE} for one in tasks])
    return view._replace(inside=shown)


STATE = State(screen="detail", detail=Detail(ID, tab="tasks"))


def _text(state: State, view: View) -> str:
    _, frame = Composer().compose(state, view)
    return "\n".join("".join(part.text for part in line) for line in frame.lines)


def _detail(state: State) -> Detail:
    assert state.detail is not None
    return state.detail


def test_enter_shows_all_of_the_task_and_goes_back() -> None:
    view = _view()
    state, _ = pressed(STATE, view, "j", "j")
    assert _detail(state).task == "b"
    state, effects = pressed(state, view, "enter")
    text = _text(state, view)

    assert effects == []
    assert "asked:" in text
    assert "  well" in text
    assert "worker-2 DENIED (review 1): no test" in text
    assert "[red]" in text
    assert "\x1b" not in text
    assert "abababababab Do it" in text
    back, _ = pressed(state, view, "esc")
    assert (back.screen, _detail(back).opened, _detail(back).task) == ("detail", False, "b")
    assert pressed(state, view, "enter")[0] == back
    assert pressed(back, view, "esc")[0].screen == "table"


def test_a_page_scrolls_and_another_tab_closes_it() -> None:
    view = _view(size=(60, 12))
    state, _ = pressed(STATE, view, "enter")
    assert "a  task a" in _text(state, view)
    state = replace(state, detail=Composer().compose(state, view)[0].detail)
    state, _ = pressed(state, view, "G")
    assert "a.py" in _text(state, view)
    state, _ = pressed(state, view, "tab")
    assert not _detail(state).opened


@pytest.mark.parametrize("size", [(80, 12), (140, 42)])
def test_the_selected_task_is_in_sight(size: tuple[int, int]) -> None:
    view, state = _view(200, size), STATE
    for name in ("G", *"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "g", *"jjjjjjjjjjjjj", "pagedown"):
        state, _ = pressed(state, view, name)
        _, frame = Composer().compose(state, view)
        chosen = [line for line in frame.lines if any(part.style == "reverse" for part in line)]
        (found,) = chosen
        assert f" {_detail(state).task} " in "".join(part.text for part in found)


def test_what_is_read_of_an_opened_task_is_all_of_it(home: Home) -> None:
    fill(Database(home.database), 1, 1)
    source = Source(home.database)
    source.changed()
    closed = source.view(STATE, View(), (100, 24)).inside
    opened = source.view(
        State(screen="detail", detail=Detail(ID, tab="tasks", task="a", opened=True)),
        View(),
        (100, 24),
    ).inside
    source.close()

    assert closed is not None
    assert opened is not None
    assert "comments" not in closed.tasks[0]
    assert opened.tasks[0]["comments"] == []


def test_each_state_of_a_task_reads_without_colour() -> None:
    about: dict[str, Any] = {"key": "a", "name": "A", "after": [], "assignee": "w", "failure": None}
    about |= {"started_at": None, "ended_at": None}
    drawn = {
        "".join(part.text for part in tree([{**about, "status": status}], 60, 0.0)[0])
        for status in TASK_GLYPHS
    }
    assert len(drawn) == len(TASK_GLYPHS) - 1, "only what is ready and what is pending look alike"


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 140])
def test_the_chosen_tab_is_whole_and_the_row_says_where_there_are_more(columns: int) -> None:
    view = _view(size=(columns, 24))
    for tab in tabs_of(view):
        text = _text(replace(STATE, detail=replace(_detail(STATE), tab=tab)), view)
        label = tab.replace("worker-", "w")
        row = next(line for line in text.splitlines() if f"{label}]" in line)
        assert ("›" in row) == ("log" not in row)
        assert ("‹" in row) == ("coordinator" not in row)


def test_a_task_that_waits_and_a_service_say_how_far_they_are() -> None:
    base: dict[str, Any] = {
        "name": "x",
        "after": [],
        "assignee": None,
        "started_at": None,
        "ended_at": None,
    }
    base |= {"failure": None, "ready": None, "serving_since": None, "waits_for": None}
    service = {**base, "status": "in_progress", "ready": {"kind": "tcp"}}
    waits = "waiting for mutex db, held by build of nightly (wf-1)"
    rows = [
        {**base, "key": "a", "status": "ready", "waits_for": waits},
        {**service, "key": "b"},
        {**service, "key": "c", "serving_since": "2030-03-17T17:30:00.000Z"},
        {**base, "key": "d", "status": "done", "ready": {"kind": "tcp"}},
    ]
    shown = ["".join(part.text for part in one) for one in tree(rows, 120, 0.0)]

    assert waits in shown[0]
    assert "not ready yet" in shown[1]
    assert "ready since 2030-03-17 17:30" in shown[2]
    assert "ready" not in shown[3]


def test_beside_a_tab_only_the_tasks_that_fit_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    view = inside((140, 30))
    assert view.inside is not None
    task = view.inside.tasks[0]
    many = [{**task, "key": f"t{n}", "name": f"t{n}"} for n in range(3000)]
    drawn: list[str] = []
    plain = tree_module._line

    def counted(task: Any, *rest: Any) -> Any:
        drawn.append(task["key"])
        return plain(task, *rest)

    monkeypatch.setattr(tree_module, "_line", counted)
    detail = Detail(view.inside.row["id"], "coordinator")
    view = view._replace(inside=view.inside._replace(tasks=many))
    text = _text(State(screen="detail", detail=detail), view)

    assert 0 < len(drawn) < 60
    assert f"… {3000 - len(drawn)} more: tab tasks" in text
