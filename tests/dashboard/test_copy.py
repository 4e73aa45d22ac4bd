"""Copying to the clipboard, and the goal that an empty table asks for."""

import base64
from contextlib import closing
from dataclasses import replace

from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.jobs.worker import GOAL
from perles.dashboard.model.state import Detail, Effect, Place, State
from perles.dashboard.update.answers import take
from tests.dashboard.terminal import Terminal
from tests.dashboard.views import inside, pressed, table
from tests.integration.cli import Home
from tests.integration.crew import Crew

SIZE = (80, 24)
ID = "wf-00000000"


def _text(state: State) -> str:
    _, frame = Composer().compose(state, table(0, SIZE))
    return "\n".join("".join(part.text for part in line).rstrip() for line in frame.lines)


def test_the_id_of_the_selected_workflow_is_copied() -> None:
    assert pressed(State(), table(3, SIZE), "j", "y")[1] == [
        Effect("copy", {"text": "wf-00000001"})
    ]
    state, effects = pressed(State(), table(0, SIZE), "y")
    assert effects == []
    assert "nothing to copy" in state.notice.text


def test_inside_what_was_said_last_is_copied_or_the_match() -> None:
    view = inside(SIZE)
    assert view.inside is not None
    records = [one._replace(text=f"text {one.key}") for one in view.inside.body]
    view = view._replace(inside=view.inside._replace(body=records))
    state = State(screen="detail", detail=Detail(ID))
    at = replace(state, detail=Detail(ID, found=Place(1, 0)))

    assert pressed(state, view, "y")[1] == [Effect("copy", {"text": "text 6"})]
    assert pressed(at, view, "y")[1] == [Effect("copy", {"text": "text 1"})]


def test_where_nothing_was_said_the_id_is_copied() -> None:
    view = inside(SIZE)
    assert view.inside is not None
    view = view._replace(inside=view.inside._replace(body=[]))

    _, effects = pressed(State(screen="detail", detail=Detail(ID)), view, "y")
    assert effects == [Effect("copy", {"text": ID})]


def test_the_terminal_gets_text_alone(crew: Crew, home: Home) -> None:
    agent = crew.agent("wf-aaaaaaaa", "coordinator")
    payload = {"kind": "text", "text": "done\x1b]0;title\x07\nnext"}
    about = {"workflow_id": "wf-aaaaaaaa", "agent_id": agent}
    crew.event("coordinator.output", payload, at=crew.now, **about)
    args = ("dashboard", "--no-engine", "--show", "wf-aaaaaaaa")
    with closing(Terminal(home, *args, columns=120)) as terminal:
        terminal.shows("next")
        terminal.type("y")
        terminal.shows("copied what coordinator said")
        terminal.type("q")
        assert terminal.ends() == 0
        terminal.assert_whole()
    told = terminal.raw.partition(b"\x1b]52;c;")[2].partition(b"\x07")[0]
    copied = base64.b64decode(told).decode()
    assert copied.startswith("done")
    assert copied.endswith("\nnext")
    assert "\x1b" not in copied
    assert "\x07" not in copied


def test_an_empty_table_asks_for_a_goal() -> None:
    assert "Enter takes a goal in words" in _text(State())
    state, effects = pressed(State(), table(0, SIZE), "enter")
    assert Effect("templates") in effects
    other = {**GOAL, "key": "other", "goal": False}

    state, _ = take(state, Answer("templates", {}, [other, GOAL], None))

    assert state.form is not None
    assert state.form.template == GOAL


def test_a_table_that_is_only_filtered_asks_for_none() -> None:
    view = table(0, SIZE)._replace(total=3)

    assert pressed(State(), view, "enter")[0].form is None
