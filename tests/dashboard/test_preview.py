"""The form shows the tasks that it would make, while it is filled in; nothing is created."""

from dataclasses import replace
from typing import Any

import pytest

from perles.controlplane.plane import ControlPlane
from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs import worker
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.jobs.worker import GOAL
from perles.dashboard.model.form import Form, choose
from perles.dashboard.model.state import Effect, State
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.answers import take
from perles.dashboard.update.dispatch import press
from tests.dashboard.views import table
from tests.integration.cli import Home

VIEW = table(0, (140, 42))
FILE: dict[str, Any] = {
    "key": "file", "label": "Pipeline file", "type": "text", "required": True, "default": "",
    "description": "", "options": [],
}  # fmt: skip
PIPELINE = {"key": "pipeline", "name": "Pipeline", "source": "builtin", "error": None,
            "arguments": [FILE]}  # fmt: skip
TASKS = [
    {"key": "lint", "name": "lint", "after": [], "who": "make lint"},
    {"key": "deploy", "name": "Deploy it", "after": ["lint"], "who": "human"},
]


def _form(template: dict[str, Any] = PIPELINE) -> State:
    return State(screen="form", form=choose(Form(templates=[template]), template, ""))


def _typed(state: State, *names: str) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    for name in names:
        state, some = press(state, Key(name, name if len(name) == 1 else ""), VIEW)
        effects += some
    return state, effects


def _text(state: State, size: tuple[int, int] = (140, 42)) -> str:
    _, frame = Composer().compose(state, VIEW._replace(size=size))
    return "\n".join("".join(part.text for part in line).rstrip() for line in frame.lines)


def _answer(effect: Effect, value: Any = None, error: str | None = None) -> Answer:
    return Answer(effect.kind, effect.args, value, error)


@pytest.mark.parametrize("size", [(80, 24), (140, 42)])
def test_tasks_stand_by_the_form_with_what_they_wait_for_and_who_does_them(
    size: tuple[int, int],
) -> None:
    state, (asked,) = _typed(_form(), "x")
    state, more = take(state, _answer(asked, TASKS))

    text = _text(state, size)
    assert more == ()
    assert "Tasks: 2" in text
    assert "lint  make lint" in text
    assert "└─○ deploy Deploy it  human" in text


def test_what_is_wrong_stands_in_place_and_is_looked_at_again_at_the_next_key() -> None:
    state, (asked,) = _typed(_form(), "x")
    state, more = take(state, _answer(asked, error="cannot read x: no such file"))

    assert "cannot read x: no such file" in _text(state)
    assert more == ()
    assert _typed(state, "tab")[1] == [asked]


def test_one_request_is_under_way_at_a_time_and_the_last_text_is_asked_for() -> None:
    state, (asked,) = _typed(_form(), "x", "y", "z")
    assert asked.args["spec"]["args"] == {"file": "x"}

    state, (again,) = take(state, _answer(asked, TASKS))
    assert again.args["spec"]["args"] == {"file": "xyz"}

    assert take(state, _answer(again, TASKS))[1] == ()


def test_a_key_that_changes_no_task_asks_nothing() -> None:
    state, (asked,) = _typed(_form(), "x")
    state, _ = take(state, _answer(asked, TASKS))

    assert _typed(state, "tab", "tab", "right", "tab", "a", "=", "b")[1] == []


def test_nothing_is_asked_for_while_a_field_is_missing_or_wrong() -> None:
    number = {**FILE, "key": "n", "label": "Rounds", "type": "number"}
    _, effects = _typed(_form({**PIPELINE, "arguments": [number]}), "tab", "shift-tab", "z")

    assert effects == []
    assert "once Pipeline file is filled in" in _text(_form())


def test_an_answer_for_another_template_is_not_shown() -> None:
    state, (asked,) = _typed(_form(), "x")
    assert state.form is not None
    other = replace(state, form=choose(state.form, {**PIPELINE, "key": "other"}, ""))
    other, _ = _typed(other, "y")

    other, _ = take(other, _answer(asked, TASKS))

    assert "Tasks: 2" not in _text(other)


def test_a_goal_has_no_tasks_yet() -> None:
    state, (asked,) = _typed(_form(GOAL), "x")

    assert "the coordinator makes them" in _text(take(state, _answer(asked, []))[0])


def test_a_preview_is_what_creating_makes_and_creates_nothing(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "make\nall"}, {"key": "b", "run": "true"}])
    plane = ControlPlane(home.root)
    spec = {"template_id": "pipeline", "args": {"file": str(home.work / file)}}

    tasks = worker._do(plane, "preview", {"spec": spec})

    assert [(task["key"], task["after"]) for task in tasks] == [("a", []), ("b", [])]
    assert "make" in tasks[0]["who"]
    assert "\n" not in tasks[0]["who"]
    assert home.json("list", "--json") == []
