"""The tab of channels: posts by thread, what is not read, writing, answering, names after an @."""

from typing import Any

import pytest

from perles.controlplane.plane import ControlPlane
from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.worker import _do
from perles.dashboard.model.state import Detail, Effect, State, View
from perles.dashboard.reading import channels
from perles.dashboard.reading.record import Record
from perles.domain.channels import CHANNELS, POSTABLE
from perles.fabric import posts
from perles.fabric.channels import mark_read
from perles.store.database import Database
from tests.dashboard.views import inside, pressed
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-00000000"
AT = "2030-03-17T17:30:00.000Z"
POSTS = [
    Record(12, AT, "post", "worker-1", "which *database*?", "request"),
    Record(14, AT, "answer", "coordinator", "sqlite"),
]


def _view(**unread: int) -> View:
    view = inside((100, 24))
    assert view.inside is not None
    rows = [
        {"channel": slug, "purpose": CHANNELS[slug], "last_post": 14, "unread": unread.get(slug, 0)}
        for slug in POSTABLE
    ]
    return view._replace(inside=view.inside._replace(tab="channels", body=POSTS, channels=rows))


def _state(**given: Any) -> State:
    return State(screen="detail", detail=Detail(ID, tab="channels", **given))


def _text(state: State, view: View) -> str:
    _, frame = Composer().compose(state, view)
    return "\n".join("".join(part.text for part in line) for line in frame.lines)


def test_posts_stand_by_thread_below_the_channels_with_what_is_unread() -> None:
    text = _text(_state(), _view(general=2, tasks=7, planning=100))

    assert "12  worker-1" in text
    assert "↳ 14  coordinator" in text
    assert "#tasks 7 " in text
    assert "#planning 100+" in text
    assert "#general 2" not in text  # it is being looked at
    assert "channels•" in text


def test_a_channel_that_was_looked_at_is_read_and_that_is_told_once() -> None:
    view = _view(general=2)
    state, effects = pressed(_state(), view, "j", "j")

    assert effects == [Effect("read", {"id": ID, "channel": "general", "up_to": 14})]
    assert "channels•" not in _text(state, view)


def test_c_goes_through_the_channels() -> None:
    state, _ = pressed(_state(), _view(), "c")
    assert state.detail is not None
    assert state.detail.channel == "observer"
    state, _ = pressed(state, _view(), "C", "C")
    assert state.detail is not None
    assert state.detail.channel == "planning"


def test_what_is_written_goes_to_the_channel_that_is_shown() -> None:
    state, effects = pressed(_state(channel="planning"), _view(), "m", *"hi", "enter")

    sent = {"id": ID, "to": "#planning", "text": "hi", "body": "hi", "reply": None}
    assert effects == [Effect("post", sent)]
    assert "posting in #planning" in state.notice.text


def test_a_text_can_answer_a_post() -> None:
    _, effects = pressed(_state(), _view(), "m", *">12 so", "enter")

    sent = {"id": ID, "to": "#general", "text": ">12 so", "body": "so", "reply": 12}
    assert effects == [Effect("post", sent)]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("@co", "@coordinator "),
        ("ask @w", "ask @worker-1 "),
        ("@h", "@here "),
    ],
)
def test_a_name_that_is_begun_is_completed(typed: str, text: str) -> None:
    state, _ = pressed(_state(), _view(), "m", *typed)
    assert f"@{text.split('@')[1].strip()} · Tab completes" in _text(state, _view())
    state, _ = pressed(state, _view(), "tab")

    assert state.detail is not None
    assert (state.detail.input.text, state.detail.to) == (text, "#general")


def test_an_address_of_mail_is_not_completed_but_tab_goes_to_another_channel() -> None:
    state, _ = pressed(_state(), _view(), "m", *"me@co", "tab")

    assert state.detail is not None
    assert (state.detail.to, state.detail.channel) == ("#observer", "observer")
    assert state.detail.input.text == "me@co"


def test_no_byte_of_a_post_controls_the_screen() -> None:
    view = _view()
    assert view.inside is not None
    hostile = Record(12, AT, "post", "\x1b[2Jx", "a\x1b]0;t\x07\u202eb", "\x9b")
    text = _text(_state(), view._replace(inside=view.inside._replace(body=[hostile])))

    assert not any(letter in text for letter in "\x1b\x07\x9b\u202e")


def test_what_the_dashboard_asks_for_is_carried_out(home: Home) -> None:
    path = home.pipeline("p", [{"key": "a", "run": "true"}])
    id = home.perles("create", path).stdout.split()[0]
    plane = ControlPlane(home.root)
    _, (effect,) = pressed(_state(), _view(), "m", *"hi", "enter")

    said = _do(plane, effect.kind, {**effect.args, "id": id})
    _do(plane, "post", {**effect.args, "id": id, "body": "so", "reply": 1})
    _do(plane, "read", {"id": id, "channel": "general", "up_to": 2})

    assert said == f"posted 1 in #general of {id}"
    assert [(one["text"], one["thread"]) for one in plane.posts(id)] == [("hi", 1), ("so", 1)]


def test_a_thread_that_was_answered_comes_last_and_the_person_has_read_what_was_shown(
    home: Home,
) -> None:
    crew = Crew(home.database)
    id = crew.workflow()
    database = Database(home.database)

    def write(tx: Any) -> None:
        for number in range(5):
            posts.post(tx, id, "general", posts.Author("worker-1"), f"thread {number}")
        posts.reply(tx, id, 1, posts.USER, "an answer")

    database.write(write)
    with crew.reading() as connection:
        found = channels.posts(connection, id, "general", 3)
        before = {one["channel"]: one["unread"] for one in channels.channels(connection, id)}
    listed = [ControlPlane(home.root).get(id)["unread_posts"]]
    database.write(lambda tx: mark_read(tx, id, "general", 4))
    with crew.reading() as connection:
        after = {one["channel"]: one["unread"] for one in channels.channels(connection, id)}
    listed.append(ControlPlane(home.root).list()[0]["unread_posts"])
    columns = home.perles("list", "--columns", "id,unread", "--no-header").stdout.split()
    crew.close()
    database.dispose()

    assert [(one.kind, one.text) for one in found] == [
        ("post", "thread 3"),
        ("post", "thread 4"),
        ("post", "thread 0"),
        ("answer", "an answer"),
    ]
    assert (before["general"], after["general"], before["tasks"]) == (5, 1, 0)
    assert listed == [5, 1]
    assert columns == [id, "1"]
