"""What is ordered by keys: texts to agents and their drafts, priorities, the mouse."""

from dataclasses import replace

import pytest

from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model.form import Form
from perles.dashboard.model.state import Detail, Effect, Notice, State, View
from perles.dashboard.update.answers import take
from tests.dashboard.views import inside, pressed, table

SIZE = (80, 24)
DETAIL = State(screen="detail", detail=Detail("wf-00000000"))


def test_a_draft_is_kept_per_workflow_and_agent() -> None:
    view = inside(SIZE)

    state, _ = pressed(DETAIL, view, "m", "h", "i", "esc", "2", "m", "y", "o", "esc", "esc")
    again, _ = pressed(state, view, "enter", "m")
    other, _ = pressed(again, view, "esc", "2", "m")

    assert again.detail is not None
    assert again.detail.input.text == "hi"
    assert other.detail is not None
    assert (other.detail.to, other.detail.input.text) == ("worker-1", "yo")


def test_a_text_goes_along_to_another_agent_that_has_no_draft() -> None:
    state, effects = pressed(DETAIL, inside(SIZE), "m", "h", "i", "tab", "enter")

    assert effects == [Effect("send", {"id": "wf-00000000", "text": "hi", "to": "worker-1"})]
    assert state.detail is not None
    assert state.detail.input.text == ""


def test_a_text_that_could_not_be_sent_is_a_draft_again_wherever_one_is_by_then() -> None:
    state, (effect,) = pressed(DETAIL, inside(SIZE), "m", "h", "i", "enter")
    there, _ = take(state, Answer("send", effect.args, None, "cannot send"))
    left, _ = take(pressed(state, inside(SIZE), "esc", "esc")[0],
                   Answer("send", effect.args, None, "cannot send"))  # fmt: skip

    assert there.detail is not None
    assert there.detail.input.text == "hi"
    assert left.drafts["wf-00000000", "coordinator"] == "hi"


def _effects(state: State, view: View, *names: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(e.args["to"], e.args["ids"]) for e in pressed(state, view, *names)[1]]


def test_the_priority_of_a_row_or_of_all_marked_is_raised_and_lowered() -> None:
    view = table(6, SIZE)  # low, normal, high, low, …; the last three have ended

    assert _effects(State(), view, "+") == [("normal", ("wf-00000000",))]
    assert _effects(State(), view, "j", "-") == [("low", ("wf-00000001",))]
    assert _effects(State(), view, " ", " ", "+") == [
        ("normal", ("wf-00000000",)),
        ("high", ("wf-00000001",)),
    ]


@pytest.mark.parametrize(
    ("place", "key", "why"),
    [(0, "-", "low already"), (2, "+", "high already"), (3, "+", "workflow 3 is completed")],
)
def test_a_priority_that_cannot_change_is_told(place: int, key: str, why: str) -> None:
    state, effects = pressed(State(), table(6, SIZE), *["j"] * place, key)

    assert effects == []
    assert why in state.notice.text


def test_who_leaves_the_form_while_it_creates_stays_where_he_went() -> None:
    form = replace(Form(), template={"key": "t", "name": "T"}, busy=True)
    state, effects = pressed(State(screen="form", form=form), table(6, SIZE), "esc", "enter")
    assert effects == []

    created = Answer("create", {}, {"id": "wf-new", "said": "created wf-new"}, None)
    state, _ = take(state, created)
    failed, _ = take(state, Answer("create", {}, None, "cannot create"))

    assert (state.screen, state.notice.text) == ("detail", "created wf-new")
    assert failed.notice == Notice("cannot create", "bad")


def test_the_mouse_is_left_to_the_terminal_and_taken_back() -> None:
    state, effects = pressed(State(), table(3, SIZE), "M")
    assert (state.mouse, effects) == (False, [Effect("mouse")])

    assert pressed(state, table(3, SIZE), "M")[0].mouse
