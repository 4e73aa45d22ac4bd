"""Small things of who looks into a workflow: folds, clicks, orders, what came meanwhile."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.frames.transcript import record_lines
from perles.dashboard.model.editor import of
from perles.dashboard.model.state import Attention, Detail, Effect, Place, State, View, tabs_of
from perles.dashboard.reading.detail import Record, said
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.keys import Key
from perles.dashboard.terminal.segments import columns_of
from perles.dashboard.update.dispatch import press
from perles.dashboard.update.matches import unfolded
from perles.store.reads.dashboard import MANY
from tests.dashboard.views import inside, pressed, table, waiting
from tests.integration.cli import Home
from tests.integration.crew import Crew

SIZE = (80, 24)
DETAIL = State(screen="detail", detail=Detail("wf-00000000"))
AT = "2030-03-17T17:30:00.000Z"


def _text(state: State, view: View) -> list[str]:
    _, frame = Composer().compose(state, view)
    return ["".join(part.text for part in line).rstrip() for line in frame.lines]


def _lines(record: Record, *, whole: bool) -> list[str]:
    return ["".join(part.text for part in line) for line in record_lines(record, 60, whole)]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"command": "pytest -q", "timeout": 5}', "├╴Bash pytest -q"),
        ('{"task_id": "one", "n": 2}', "├╴Bash task_id: one, n: 2"),
        ('{"command": "ls…', '├╴Bash {"command": "ls…'),
        ("plain", "├╴Bash plain"),
        ("[1]", "├╴Bash [1]"),
    ],
)
def test_a_tool_call_is_a_line_with_what_tells_most(given: str, shown: str) -> None:
    payload = json.dumps({"kind": "tool", "name": "Bash", "done": False, "input": given})
    row = {"seq": 1, "created_at": AT, "type": "worker.output", "payload": payload}

    assert _lines(said(row, "worker-1"), whole=False) == [shown]


def test_a_call_and_its_result_unfold() -> None:
    call = Record(1, AT, "tool", "w", '{"command": "make", "n": 2}', "Bash")
    result = Record(2, AT, "result-of-tool", "w", "\n".join("abcdefgh"), "Bash")

    assert _lines(call, whole=True) == ["├╴Bash", "│  command: make", "│  n: 2"]
    assert _lines(result, whole=False)[-1] == "   … 4 more lines; t unfolds"
    assert _lines(result, whole=True) == ["╰╴ a", *(f"   {letter}" for letter in "bcdefgh")]


def test_unfolding_keeps_the_place_and_the_tail() -> None:
    view = inside((80, 12))
    assert pressed(DETAIL, view, "t")[1] == [Effect("unfold")]
    assert unfolded(DETAIL, view).detail == Detail("wf-00000000", whole=True)

    back = Composer().compose(pressed(DETAIL, view, "k", "k", "k", "k", "k")[0], view)[0]
    there = unfolded(back, view).detail
    assert there is not None
    assert there.whole
    assert there.anchor is not None


def test_a_click_on_a_tab_opens_it() -> None:
    for size in (SIZE, (140, 42)):
        view = inside(size)
        lines = _text(DETAIL, view)
        y = next(y for y, line in enumerate(lines) if "timeline" in line)
        clicked, _ = press(DETAIL, Key("click", "", lines[y].index("timeline") + 2, y), view)
        beside, _ = press(DETAIL, Key("click", "", 3, y + 3), view)

        assert clicked.detail is not None
        assert clicked.detail.tab == "timeline"
        assert beside == DETAIL


def test_retired_agents_stand_behind_all_other_tabs() -> None:
    view = inside((140, 42))
    assert view.inside is not None
    first, second = view.inside.agents
    old = [{**second, "name": f"worker-{n}", "status": "retired"} for n in range(2, 22)]
    view = view._replace(inside=view.inside._replace(agents=[first, *old, second]))

    assert tabs_of(view)[:3] == ["coordinator", "worker-1", "messages"]
    assert tabs_of(view)[-1] == "worker-21"
    text = "\n".join(_text(DETAIL, view))
    assert "– 20 retired" in text
    assert "task c" in text
    assert pressed(DETAIL, view, "shift-tab")[0].detail == Detail("wf-00000000", "worker-21")
    written = pressed(DETAIL, view, "m", "tab", "tab")[0].detail
    assert written is not None
    assert written.to == "coordinator"


def test_a_click_in_the_inbox_selects_and_another_opens() -> None:
    rows = [waiting(number, workflow_id=f"wf-{number}") for number in (3, 2, 1)]
    view = table(3, SIZE)._replace(waiting=rows)
    state = State(screen="inbox")

    chosen, _ = press(state, Key("click", "", 5, 2), view)
    opened, _ = press(chosen, Key("click", "", 5, 2), view)
    nowhere, _ = press(state, Key("click", "", 5, 9), view)

    assert chosen.inbox.cursor == 1
    assert opened.detail is not None
    assert opened.detail.workflow_id == "wf-2"
    assert nowhere == state


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("/p", "/pause"), ("/re", "/re"), ("/res", "/resume"), ("/st", "/st"), ("/sto", "/stop")],
)
def test_tab_completes_an_order(typed: str, completed: str) -> None:
    state, _ = pressed(DETAIL, inside(SIZE), "m", *typed, "tab")

    assert state.detail is not None
    assert state.detail.input.text == completed
    assert state.detail.to == "coordinator"


def test_the_orders_that_fit_stand_above_what_is_typed() -> None:
    view = inside(SIZE)
    state, _ = pressed(DETAIL, view, "m", "/", "r", "e")

    text = "\n".join(_text(state, view))
    assert "/resume  /retire  /replace · Tab completes" in text
    assert "1 queued" in text


def test_tab_after_other_text_goes_to_the_next_agent() -> None:
    state, _ = pressed(DETAIL, inside(SIZE), "m", *"see /usr", "tab")

    assert state.detail is not None
    assert state.detail.to == "worker-1"


def test_what_is_searched_is_marked_where_it_stands() -> None:
    searching = replace(DETAIL, detail=Detail("wf-00000000", search=of("done: SEE")))
    _, frame = Composer().compose(searching, inside(SIZE))

    marked = ["".join(p.text for p in line if p.style.endswith("|sel")) for line in frame.lines]
    assert [text for text in marked if text] == ["Done: see"] * 2


def test_one_that_is_gone_to_is_marked_more() -> None:
    detail = Detail("wf-00000000", search=of("see"), found=Place(5, 1))
    _, frame = Composer().compose(replace(DETAIL, detail=detail), inside(SIZE))

    marked = [[p.text for p in line if p.style == "reverse"] for line in frame.lines]
    assert [texts for texts in marked if texts] == [["see"]]


def test_letters_that_grow_when_they_are_made_small_do_not_move_the_mark() -> None:
    view = inside(SIZE, "İİ see")
    _, frame = Composer().compose(
        replace(DETAIL, detail=Detail("wf-00000000", search=of("see"))), view
    )

    assert {columns_of(line) for line in frame.lines} == {80}


def test_from_inside_one_sees_that_others_need_somebody() -> None:
    view = inside(SIZE)._replace(attention=Attention({"wf-00000000": 3, "wf-00000001": 2}))
    assert "▲ another workflow needs you: ! goes there" in _text(DETAIL, view)[-2]

    own = view._replace(attention=Attention({"wf-00000000": 3}))
    assert "needs you" not in "".join(_text(DETAIL, own))


def test_what_is_sent_is_seen_by_who_scrolled_back() -> None:
    view = inside((80, 12))
    back, _ = pressed(DETAIL, view, "k", "k", "k")

    sent, _ = pressed(back, view, "m", "h", "i", "enter")

    assert back.detail is not None
    assert back.detail.up == 3
    assert sent.detail is not None
    assert (sent.detail.up, sent.detail.until) == (0, None)


@pytest.fixture
def crew(home: Home) -> Iterator[Crew]:
    made = Crew(home.database)
    made.workflow("wf-aaaaaaaa")
    yield made
    made.close()


def test_who_scrolled_back_sees_how_much_is_new(crew: Crew, home: Home) -> None:
    agent = crew.agent("wf-aaaaaaaa", "worker-1")
    other = crew.agent("wf-aaaaaaaa", "worker-2")
    for _ in range(3):
        for one in (agent, other):
            about = {"workflow_id": "wf-aaaaaaaa", "agent_id": one}
            crew.event("worker.output", {"kind": "text", "text": "x"}, at=crew.now, **about)
    source = Source(home.database)
    source.changed()

    def below(tab: str, until: int | None) -> int:
        detail = Detail("wf-aaaaaaaa", tab, up=3, until=until)
        found = source.view(State(screen="detail", detail=detail), View(), SIZE).inside
        assert found is not None
        return found.below

    assert [below("worker-1", 2), below("events", 2), below("tasks", 2)] == [2, 4, 0]
    assert below("worker-1", None) == 0
    source.close()


@pytest.mark.parametrize(
    ("below", "told"), [(0, "▼ 2 lines"), (7, "▼ 7 new, 2"), (MANY, "1000+ n")]
)
def test_it_is_told_below(below: int, told: str) -> None:
    view = inside((80, 14))
    assert view.inside is not None
    view = view._replace(inside=view.inside._replace(below=below))

    assert any(told in line for line in _text(pressed(DETAIL, view, "k", "k")[0], view))
