"""A question of an agent is answered in the inbox."""

from typing import Any

from perles.dashboard.model.state import Effect, State, View
from tests.dashboard.views import pressed, table, waiting

INBOX = State(screen="inbox")


def _view(**given: Any) -> View:
    asked = {"kind": "question", "question": 7, "options": ["tabs"], "default": None, **given}
    return table(3, (100, 30))._replace(waiting=[waiting(1, **asked)])


def test_a_question_is_answered_in_words() -> None:
    view = _view()
    state, effects = pressed(INBOX, view, "m", "o", "k", "enter")
    assert effects == [Effect("reply", {"id": "wf-00000001", "question": 7, "text": "ok"})]
    assert state.inbox.answer is None


def test_a_question_wants_words_and_is_not_acknowledged() -> None:
    for key in ("y", "d", "a"):
        state, effects = pressed(INBOX, _view(), key)
        assert (effects, "wants an answer" in state.notice.text) == ([], True)
    state, effects = pressed(INBOX, _view(), "m", "enter")
    assert (effects, state.notice.text) == ([], "say something")


def test_enter_alone_takes_the_default() -> None:
    _, effects = pressed(INBOX, _view(default="tabs"), "m", "enter")
    assert effects == [Effect("reply", {"id": "wf-00000001", "question": 7, "text": ""})]
