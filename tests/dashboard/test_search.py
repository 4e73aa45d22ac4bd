"""Searching a transcript finds what is not read of it, in slices, and reads what is around it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model import editor
from perles.dashboard.model.state import Detail, Effect, State, View
from perles.dashboard.reading import search
from perles.dashboard.reading.detail import Record
from perles.dashboard.reading.search import holds
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.answers import take
from perles.dashboard.update.dispatch import press
from perles.dashboard.update.matches import to_match
from perles.store.sqlite.driver import dbapi
from tests.dashboard.terminal import Terminal
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-aaaaaaaa"
COUNT = 4_000
SIZE = (100, 30)


@pytest.fixture
def screen(home: Home) -> Iterator["Screen"]:
    """A dashboard without its terminal, on a coordinator that said much."""
    crew = Crew(home.database)
    crew.workflow(ID)
    agent = crew.agent(ID, "coordinator")
    crew.close()
    _say(home.database, agent, {10: "the **very first** needle", 1_500: "eine Nädel", 3_990: "hay"})
    made = Screen(home.database)
    yield made
    made.source.close()


def _say(path: Path, agent: int, said: dict[int, str]) -> None:
    connection = dbapi.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO events (workflow_id, agent_id, type, payload, created_at) "
            "VALUES (?, ?, 'coordinator.output', ?, '2026-01-01T00:00:00.000Z')",
            (
                (ID, agent, json.dumps({"text": said.get(number, f"line {number}"),
                                        "kind": "tool", "name": "Say"}, ensure_ascii=False))
                for number in range(COUNT)
            ),
        )  # fmt: skip
    connection.close()


class Screen:
    """What the loop does, one key at a time; `answers` are given when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = Source(path)
        self.state = State(screen="detail", detail=Detail(ID))
        self.view = View()
        self.pending: list[Effect] = []
        self.text = ""
        self.source.changed()
        self.draw()

    def draw(self) -> None:
        self.view = self.source.view(self.state, self.view, SIZE)
        self.state, frame = Composer().compose(self.state, self.view)
        self.text = "\n".join("".join(s.text for s in line).rstrip() for line in frame.lines)

    def type(self, *names: str) -> "Screen":
        for name in names:
            self.state, effects = press(
                self.state, Key(name, name if len(name) == 1 else ""), self.view
            )
            self.act(effects)
            self.draw()
        return self

    def act(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if effect.kind == "match":
                self.state, more = to_match(self.state, self.view, effect.args["step"])
                self.act(more)
            else:
                self.pending.append(effect)

    def answer(self) -> "Screen":
        """Give one answer."""
        effect = self.pending.pop(0)
        value = search.find(self.path, json.loads(json.dumps(effect.args)))
        self.state, effects = take(self.state, Answer(effect.kind, effect.args, value, None))
        self.act(effects)
        self.draw()
        return self

    def settle(self) -> "Screen":
        """Give answers until none is asked for."""
        while self.pending:
            self.answer()
        return self

    @property
    def detail(self) -> Detail:
        assert self.state.detail is not None
        return self.state.detail


def test_what_is_far_above_is_found_and_shown_with_what_is_around_it(screen: Screen) -> None:
    screen.type("/", *"very first needle", "enter").settle()

    lines = screen.text.splitlines()
    at = next(i for i, line in enumerate(lines) if "very first** needle" in line)
    assert "line 9" in lines[at - 1]
    assert "line 11" in lines[at + 1]
    assert "and more below; G follows" in screen.text
    assert screen.detail.found is not None


def test_letters_other_than_ascii_are_found_whatever_their_case(screen: Screen) -> None:
    assert "Nädel" in screen.type("/", *"NÄDEL", "enter").settle().text


def test_the_next_match_below_is_found_from_a_part_that_was_slid_to(screen: Screen) -> None:
    screen.type("/", *"very first", "enter").settle()

    screen.type("/", *["backspace"] * 20, *"del", "enter").settle()
    assert "no match above" in screen.text

    assert "Nädel" in screen.type("N").settle().text


def test_nothing_found_says_so_and_leaves_all_where_it_is(screen: Screen) -> None:
    before = screen.detail.up

    screen.type("/", *"nowhere", "enter").settle()

    assert "no match above, up to the beginning: nowhere" in screen.text
    assert screen.detail.up == before
    assert screen.detail.seek is None


def test_a_long_search_goes_in_slices_tells_how_far_it_is_and_escape_ends_it(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SLICE_SECONDS", 0.0)
    screen.type("/", *"needle", "enter").answer().answer()
    assert "searching what is older … 14% · Esc ends it · needle" in screen.text

    screen.type("esc")
    assert "ended the search for needle after 14%" in screen.text
    assert screen.state.screen == "detail"

    screen.answer()
    assert screen.pending == []
    assert screen.detail.until is None


def test_a_search_that_is_given_up_for_another_tab_moves_nothing_there(screen: Screen) -> None:
    screen.type("/", *"needle", "enter", "tab").settle()

    assert screen.detail.tab == "messages"
    assert screen.detail.anchor is None


def test_events_are_searched_to_the_first(screen: Screen) -> None:
    screen.type("6", "/", *"very first", "enter").settle()

    assert "very first** needle" in screen.text


def test_one_reads_on_below_a_part_that_was_slid_to_up_to_the_tail(screen: Screen) -> None:
    screen.type("/", *"very first needle", "enter").settle()

    for _ in range(COUNT // 10):
        screen.type("pagedown").settle()
        if not screen.detail.slid and screen.detail.up == 0:
            break

    assert "line 3999" in screen.text
    assert "below; G follows" not in screen.text
    assert screen.detail.until is None


def test_one_goes_to_the_very_beginning_and_back_to_the_end(screen: Screen) -> None:
    screen.type("g").settle()
    assert "line 0" in screen.text

    screen.type("G").settle()
    assert "line 3999" in screen.text
    assert not screen.detail.slid


def test_one_scrolls_up_beyond_what_is_read_at_once(screen: Screen) -> None:
    for _ in range(COUNT // 10):
        screen.type("pageup").settle()
        if "line 2500" in screen.text:
            break

    assert "line 2500" in screen.text
    assert len(screen.view.inside.body) <= 1_000  # type: ignore[union-attr]


def test_matches_are_gone_through_line_by_line(screen: Screen) -> None:
    screen.type("/", *"line 399", "enter")
    first = screen.detail.found
    second = screen.type("n").detail.found
    back = screen.type("N").detail.found

    assert first is not None
    assert second is not None
    assert first.key > second.key
    assert back == first
    assert screen.pending == []


@pytest.mark.parametrize(
    ("record", "text", "held"),
    [
        (Record(1, "", "text", "w", "**Done**: see\n  `notes`"), "done: see notes", True),
        (Record(1, "", "turn", "w", "failed", "no key"), "turn failed", True),
        (Record(1, "", "session", "w", "secret"), "secret", False),
        (Record(1, "", "tool", "w", "{}", "Bash"), "bash", True),
        (Record(1, "", "text", "w", "something"), "nothing", False),
    ],
)
def test_what_a_record_tells(record: Record, text: str, held: bool) -> None:
    assert holds(record, text) == held


def test_what_folds_away_is_found_at_its_head(screen: Screen) -> None:
    long = "x " * 3000 + "inmost"
    folded = Record(1, "2026-01-01T00:00:00.000Z", "result-of-tool", "coordinator", long)
    assert screen.view.inside is not None
    screen.view = screen.view._replace(inside=screen.view.inside._replace(body=[folded]))
    detail = Detail(ID, search=editor.of("inmost"))

    state, effects = to_match(State(screen="detail", detail=detail), screen.view, 1)

    assert effects == ()
    assert state.detail is not None
    assert state.detail.found == (1, 0)


def test_of_messages_more_are_read_where_none_of_the_newest_matches(screen: Screen) -> None:
    view = screen.view
    assert view.inside is not None
    view = view._replace(inside=view.inside._replace(tab="messages", body=[], more=True))
    detail = Detail(ID, tab="messages", search=editor.of("far"))

    state, effects = to_match(State(screen="detail", detail=detail), view, 1)

    assert effects == ()
    assert "no match in the newest 300; n looks at more" in state.notice.text
    assert state.detail is not None
    assert state.detail.limit > 300


def test_a_worker_searches_while_the_terminal_goes_on(screen: Screen, home: Home) -> None:
    made = Terminal(home, "dashboard", "--no-engine", "--show", ID)
    made.shows("line 3999")

    made.type("/")
    made.shows("Enter search")
    made.type("very first needle")
    made.shows("/very first needle")
    made.type("\r")

    made.wait_for("the needle", lambda text: "line 9\n" in text and "line 11\n" in text)
    made.type("q")
    assert made.ends() == 0
