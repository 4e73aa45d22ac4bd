"""A key, and what it makes of the state: no terminal, no database."""

import random
from dataclasses import replace

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model.key_help import TABLE
from perles.dashboard.model.state import Detail, Effect, Notice, State
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.answers import take
from perles.dashboard.update.dispatch import press
from tests.dashboard.views import inside, pressed, table, waiting

SIZE = (80, 24)


def test_moving_stops_at_the_ends() -> None:
    view = table(3, SIZE)

    assert pressed(State(), view, "k")[0].table.cursor == 0
    assert pressed(State(), view, "j", "down", "j", "j")[0].table.cursor == 2
    assert pressed(State(), view, "G", "g")[0].table.cursor == 0


def test_the_selected_row_is_always_in_sight() -> None:
    view = table(1000, SIZE)

    state = pressed(State(), view, *["pagedown"] * 7, "j")[0]

    assert state.table.top <= state.table.cursor < state.table.top + 20


def test_pause_of_a_running_workflow_is_asked_for() -> None:
    _, effects = pressed(State(), table(6, SIZE), "p")

    assert effects == [Effect("do", {"verb": "pause", "ids": ("wf-00000000",), "force": False})]


@pytest.mark.parametrize(
    ("place", "key", "why"),
    [
        (0, "s", "it runs already"),
        (1, "p", "it has not started"),
        (2, "p", "it is paused already"),
        (3, "x", "it is completed"),
        (3, "r", "it completed"),
        (0, "a", "it runs; x stops it first"),
    ],
)
def test_a_key_that_cannot_act_says_why(place: int, key: str, why: str) -> None:
    state, effects = pressed(State(), table(6, SIZE), *["j"] * place, key)

    assert effects == []
    assert why in state.notice.text


@pytest.mark.parametrize(
    ("key", "stops"), [("y", True), ("enter", True), ("n", False), ("esc", False)]
)
def test_stop_asks_first(key: str, stops: bool) -> None:
    state, effects = pressed(State(), table(6, SIZE), "x")
    assert state.question is not None
    assert effects == []

    _, effects = pressed(state, table(6, SIZE), key)

    assert bool(effects) == stops


def test_a_row_that_ended_while_the_dialog_was_open_is_told() -> None:
    view = table(6, SIZE)
    state, _ = pressed(State(), view, "x")
    rows = {**view.rows, "wf-00000000": {**view.rows["wf-00000000"], "state": "completed"}}

    state, effects = pressed(state, view._replace(rows=rows), "y")

    assert effects == []
    assert "wf-00000000 is completed by now" in state.notice.text


def test_marked_rows_are_acted_on_together() -> None:
    _, effects = pressed(State(), table(12, SIZE), " ", *["j"] * 5, " ", "p")

    assert effects[0].args["ids"] == ("wf-00000000", "wf-00000006")


def test_filter_holds_while_typing_and_escape_clears_it() -> None:
    view = table(3, SIZE)

    state = pressed(State(), view, "/", "q", "s", "enter")[0]
    assert state.table.filter.text == "qs"
    assert pressed(state, view, "esc")[0].table.filter.text == ""


def test_chat_sends_to_the_agent_of_the_tab_and_remembers() -> None:
    view = inside(SIZE)
    state = State(screen="detail", detail=Detail("wf-00000000"))

    state, effects = pressed(state, view, "2", "m", "h", "i", "enter")

    assert effects == [Effect("send", {"id": "wf-00000000", "text": "hi", "to": "worker-1"})]
    state, _ = pressed(state, view, "up")
    assert state.detail is not None
    assert state.detail.input.text == "hi"


def test_a_huge_paste_into_the_chat_is_cut_and_told() -> None:
    view = inside(SIZE)
    state, _ = pressed(State(screen="detail", detail=Detail("wf-00000000")), view, "m")

    state, _ = press(state, Key("paste", "x" * 300_000), view)

    assert "cut" in state.notice.text
    assert state.detail is not None
    assert len(state.detail.input.text) == 65536


def test_every_key_of_the_help_does_something_or_says_why() -> None:
    view = table(6, SIZE)
    names = {"Enter": "enter", "Space": " ", "Esc": "esc", "Home": "home", "End": "end"}
    names |= {"PageUp": "pageup", "PageDown": "pagedown", "↓": "down", "↑": "up"}
    names |= {"Tab": "tab", "Ctrl-C": "ctrl-c", "Ctrl-L": "ctrl-l", "Ctrl-Z": "ctrl-z"}
    middle, _ = pressed(State(), view, " ", "j", "j")

    for word in (word for binding in TABLE for word in binding.keys.split()):
        after, effects = pressed(middle, view, names.get(word, word))
        assert after != middle or effects, word


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/spawn", {"verb": "spawn", "provider": None}),
        ("/spawn codex:small", {"verb": "spawn", "provider": "codex:small"}),
        ("/stop worker-1 --force", {"verb": "stop", "name": "worker-1", "force": True}),
        ("/retire worker-1 too slow", {"verb": "retire", "name": "worker-1", "reason": "too slow"}),
        ("/replace coordinator", {"verb": "replace", "name": "coordinator", "reason": ""}),
    ],
)
def test_an_order_on_one_agent_is_asked_for_and_not_sent_as_a_message(
    text: str, asked: dict[str, object]
) -> None:
    state = State(screen="detail", detail=Detail("wf-1"))

    _, effects = pressed(state, inside(SIZE), "m", *text, "enter")

    assert [effect.kind for effect in effects] == ["agent"]
    assert effects[0].args.items() >= {"id": "wf-1", **asked}.items()


@pytest.mark.parametrize("text", ["/retire", "/replace --force"])
def test_an_order_that_names_no_agent_says_how_it_is_written(text: str) -> None:
    state = State(screen="detail", detail=Detail("wf-1"))

    after, effects = pressed(state, inside(SIZE), "m", *text, "enter")

    assert f"{text.split()[0]} worker-1 [--force] [why]" in after.notice.text
    assert effects == []


def test_random_keys_never_break_state_or_frames() -> None:
    chance = random.Random(8)
    names = [*"jkgG/sxpnNira oO!E?q123mlhydt+-M", "enter", "esc", "tab", "shift-tab", "up", "down"]
    names += ["pageup", "pagedown", "home", "end", "paste", "click", "wheel-up", "ctrl-s", "é"]
    views = [table(50, SIZE), table(0, (40, 10)), inside((120, 40)), inside((24, 5))]
    composer = Composer()
    state = State()

    for count in range(100_000):
        view = views[count // 500 % 4]
        name = chance.choice(names)
        text = name if len(name) == 1 else "a\nb" if name == "paste" else ""
        state, _ = press(state, Key(name, text, chance.randrange(90), chance.randrange(30)), view)
        if state.form is not None and state.form.templates is None:
            found = {"key": "t", "name": "T", "description": "", "source": "user", "error": None}
            state = replace(state, form=replace(state.form, templates=[{**found, "arguments": []}]))
        if state.form is not None and state.form.busy:
            state = replace(state, form=replace(state.form, busy=False))
        if count % 200 == 0:
            state, frame = composer.compose(state, view)
            assert len(frame.lines) == view.size[1]


INBOX = State(screen="inbox")
DETAIL = State(screen="detail", detail=Detail("wf-00000000"))


def test_an_answer_goes_to_the_row_it_was_begun_on_whatever_comes_above_it() -> None:
    view = table(3, SIZE)._replace(waiting=[waiting(2), waiting(1)])
    state = pressed(INBOX, view, "j", "y", "o", "k")[0]
    moved = view._replace(waiting=[waiting(4), waiting(3), waiting(2), waiting(1)])

    _, effects = pressed(state, moved, "enter")

    args = {"verb": "approve", "id": "wf-00000001", "task": "ok", "text": "ok"}
    assert effects == [Effect("judge", args)]


def test_an_answer_to_what_waits_no_more_is_not_sent() -> None:
    view = table(3, SIZE)._replace(waiting=[waiting(2), waiting(1)])
    state = pressed(INBOX, view, "j", "d", "n", "o")[0]

    state, effects = pressed(state, view._replace(waiting=[waiting(2)]), "enter")

    assert (effects, "nothing was sent" in state.notice.text) == ([], True)


def test_a_denial_needs_a_reason() -> None:
    view = table(3, SIZE)

    state, effects = pressed(INBOX, view, "d", "enter")

    assert (effects, "say why" in state.notice.text) == ([], True)
    assert pressed(state, view, "x", "enter")[1][0].args["text"] == "x"


def test_what_is_no_task_is_noted_rather_than_approved() -> None:
    view = table(3, SIZE)._replace(waiting=[waiting(7, kind="failed", task=None)])

    assert "this is no task" in pressed(INBOX, view, "y")[0].notice.text
    assert pressed(INBOX, view, "a")[1] == [Effect("ack", {"seq": 7})]


def test_a_budget_of_no_workflow_can_be_noted_and_nothing_else() -> None:
    view = table(3, SIZE)._replace(
        waiting=[waiting(7, kind="budget", workflow_id=None, workflow=None, task=None)]
    )

    for key in ("m", "y", "d", "enter"):
        state, effects = pressed(INBOX, view, key)
        assert (state.screen, effects, state.notice.text[:7]) == ("inbox", [], "nothing")
    assert pressed(INBOX, view, "a")[1] == [Effect("ack", {"seq": 7})]


def test_what_a_retry_made_is_selected() -> None:
    value = {"said": ["made wf-new"], "failed": [], "made": ["wf-new"]}

    state, _ = take(State(), Answer("do", {"verb": "retry"}, value, None))

    assert (state.table.cursor_id, state.notice.text) == ("wf-new", "made wf-new")


def test_a_warning_stands_beside_what_was_done_and_yields_to_what_went_wrong() -> None:
    view = table(3, (120, 24))._replace(engine=False, work=True)
    warning = "no engine runs: nothing goes on"

    def status(notice: Notice) -> str:
        _, frame = Composer().compose(State(notice=notice), view)
        return "".join(segment.text for segment in frame.lines[-2])

    assert warning in status(Notice(""))
    assert warning in status(Notice("stopped it", "good"))
    assert "stopped it" in status(Notice("stopped it", "good"))
    assert status(Notice("cannot stop it", "bad")).strip() == "cannot stop it"


def test_the_help_begins_with_the_screen_that_it_was_asked_on() -> None:
    for state, title in ((DETAIL, "One workflow"), (INBOX, "Inbox"), (State(), "Workflows")):
        _, frame = Composer().compose(replace(state, help=True), inside((80, 24)))
        first = "".join(segment.text for segment in frame.lines[1])
        assert title in first


def test_the_footer_has_the_keys_of_what_is_typed() -> None:
    view = inside(SIZE)
    for keys, said in (("/", "keep the filter"), ("x", "kill at once"), ("iy", "send")):
        _, frame = Composer().compose(pressed(State(), view, *keys)[0], view)
        assert said in "".join(segment.text for segment in frame.lines[-1])


def test_who_scrolled_back_is_not_moved_by_what_comes_and_follows_again_at_the_end() -> None:
    view = inside((80, 12))
    assert view.inside is not None
    view = view._replace(inside=view.inside._replace(last=41))
    back = pressed(DETAIL, view, "k", "k")[0]
    later = view._replace(inside=view.inside._replace(last=90))  # type: ignore[union-attr]

    again = Composer().compose(pressed(back, later, "k")[0], later)[0]
    followed = pressed(again, later, "G")[0]
    scrolled_down = pressed(back, later, "pagedown")[0]

    assert [_until(state) for state in (back, again)] == [41, 41]
    assert [_until(state) for state in (followed, scrolled_down)] == [None, None]


def test_a_transcript_that_fits_the_screen_is_followed_whatever_is_scrolled() -> None:
    view = inside((80, 60))

    state = Composer().compose(pressed(DETAIL, view, "g", "k")[0], view)[0]

    assert _until(state) is None


def _until(state: State) -> int | None:
    assert state.detail is not None
    return state.detail.until


def test_who_scrolls_beyond_what_was_read_has_more_of_it_read() -> None:
    view = inside((80, 12))
    assert view.inside is not None
    view = view._replace(inside=view.inside._replace(more=True))
    at_top = Composer().compose(pressed(DETAIL, view, "pageup", "pageup", "pageup")[0], view)[0]

    state = Composer().compose(pressed(at_top, view, "k")[0], view)[0]

    assert at_top.detail is not None
    assert state.detail is not None
    assert state.detail.limit > at_top.detail.limit > 300
    assert state.detail.up == at_top.detail.up
