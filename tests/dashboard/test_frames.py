"""Frames: as they are stored, of exactly the size asked for, with nothing hostile in them.

`PERLES_STORE_FRAMES=1` stores them anew; look at the difference before you keep it.
"""

import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.form import Form, choose
from perles.dashboard.model.state import Detail, Question, State, View
from perles.dashboard.terminal.paint import Painter
from perles.dashboard.terminal.segments import Frame, columns_of
from tests.dashboard.views import inside, preview, table

STORED = Path(__file__).with_name("frames")
SIZES = [(40, 10), (80, 24), (120, 40), (200, 60)]
DETAIL = State(screen="detail", detail=Detail("wf-00000000"))
ARGUMENT = {
    "key": "goal", "label": "Goal", "type": "textarea", "required": True, "default": "",
    "description": "what is wanted", "options": [],
}  # fmt: skip
TEMPLATE = {"key": "t", "name": "T", "source": "user", "error": None, "arguments": [ARGUMENT]}
FORM = State(screen="form", form=choose(Form(templates=[TEMPLATE]), TEMPLATE, ""))
HOSTILE = "\x1b[31mred\x1b]0;title\x07[bold]‮evil\u200b\x9b2J\ttab\nline 表🎉é" + "\ud800"
OURS = re.compile(r"\x1b\[(?:\?2026[hl]|\?25[hl]|2J|[0-9;]*m|[0-9]+;[0-9]+H)")


def _frame(state: State, view: View) -> Frame:
    return Composer().compose(state, view)[1]


def _text(frame: Frame) -> str:
    lines = ("".join(segment.text for segment in line).rstrip() for line in frame.lines)
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("name", "state", "view"),
    [
        ("table", State(), table(30, (0, 0))),
        ("empty", State(), table(0, (0, 0))),
        ("detail", DETAIL, inside((0, 0))),
        ("preview", State(), preview((0, 0))),
        ("help", State(help=True), table(3, (0, 0))),
        ("form", FORM, table(3, (0, 0))),
        ("stop", State(question=Question("stop", ("a",), "Stop it?")), table(3, (0, 0))),
        ("hostile", State(), table(5, (0, 0), name=HOSTILE)),
        ("many", replace(State(), table=replace(State().table, top=9_000, cursor=9_003)),
         table(10_000, (0, 0))),
    ],
)  # fmt: skip
def test_a_frame_is_as_it_is_stored(
    name: str, state: State, view: View, size: tuple[int, int]
) -> None:
    frame = _frame(state, view._replace(size=size))
    path = STORED / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("PERLES_STORE_FRAMES"):
        path.write_text(_text(frame))

    assert len(frame.lines) == size[1]
    assert {columns_of(line) for line in frame.lines} == {size[0]}
    assert _text(frame) == path.read_text()


@pytest.mark.parametrize("size", [(10, 3), (1, 1), (24, 5), (30, 8), (500, 200)])
@pytest.mark.parametrize("state", [State(), DETAIL, FORM, State(help=True), State(screen="inbox")])
def test_any_size_has_a_frame(state: State, size: tuple[int, int]) -> None:
    for view in (table(30, size), inside(size)):
        frame = _frame(state, view)

        assert len(frame.lines) == size[1]
        assert all(columns_of(line) == size[0] for line in frame.lines)


def test_only_changed_lines_are_written() -> None:
    painter = Painter("true")
    view = table(30, (80, 24))
    painter.frame(_frame(State(), view))

    again = painter.frame(_frame(State(), view))
    moved = painter.frame(_frame(State(table=replace(State().table, cursor=1)), view))

    assert b"workflow" not in again
    assert moved.count(b"workflow") == 2


def test_without_colours_the_states_are_told_by_shape_and_word() -> None:
    text = Painter("none").frame(_frame(State(), table(6, (80, 24)))).decode()

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text)
    for shown in ("● running", "○ pending", "◐ paused", "✓ completed", "✗ failed", "■ stopped"):
        assert shown in text


def test_no_control_byte_but_ours_reaches_the_terminal() -> None:
    chance = random.Random(8)
    letters = [*map(chr, range(0, 0xA0)), *"\u202e\u2066\u200f\u061c[]表🎉é\ud800\n", HOSTILE]
    painter = Painter("true")

    for count in range(10_000):
        text = "".join(chance.choices(letters, k=12))
        size = (80, 12) if count % 100 else (140, 42)
        view = inside(size, text) if count % 2 else table(3, size, name=text)
        state = DETAIL if count % 2 else State()
        written = painter.frame(_frame(state, view)).decode("utf-8")
        rest = OURS.sub("", written)
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", rest)
