"""Rows and tabs are marked where something came since they were looked at."""

from typing import Any

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import Inside, State, View, attention
from perles.dashboard.terminal.keys import Key
from perles.dashboard.update.dispatch import press
from tests.dashboard.views import inside, table, waiting

SIZE = (100, 24)


class Screen:
    """What the loop does with keys and with what was read."""

    def __init__(self, view: View) -> None:
        self.state, self.view, self.text = State(), view, ""
        self.draw()

    def draw(self) -> None:
        self.state, frame = Composer().compose(self.state, self.view)
        self.text = "\n".join("".join(s.text for s in line).rstrip() for line in frame.lines)

    def type(self, *names: str) -> "Screen":
        for name in names:
            self.state, _ = press(self.state, Key(name, name), self.view)
            self.draw()
        return self

    def read(self, **changes: Any) -> "Screen":
        self.view = self.view._replace(**changes)
        self.draw()
        return self

    def waits(self, *rows: dict[str, Any]) -> "Screen":
        return self.read(waiting=rows, attention=attention(rows))

    def marked(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("•")]


def _inside(view: View, **activity: str) -> Inside:
    found = inside(SIZE).inside
    assert found is not None
    agents = [{**one, "last_activity_at": activity.get(one["name"][:6])} for one in found.agents]
    return found._replace(agents=agents, row=view.rows["wf-00000000"])


def test_a_row_that_wants_attention_is_marked_until_it_is_looked_at() -> None:
    screen = Screen(table(3, SIZE)).waits(waiting(9, workflow_id="wf-00000001"))
    assert ["workflow 1" in line for line in screen.marked()] == [True]

    screen.type("j", "enter").read(inside=_inside(screen.view)).type("esc")
    assert screen.marked() == []

    screen.waits(waiting(11, workflow_id="wf-00000001"), waiting(9, workflow_id="wf-00000001"))
    assert ["workflow 1" in line for line in screen.marked()] == [True]


def test_the_inbox_shows_all_that_waits() -> None:
    screen = Screen(table(3, SIZE)).waits(
        waiting(9, workflow_id="wf-00000001"), waiting(8, workflow_id="wf-00000002")
    )
    assert len(screen.marked()) == 2

    assert screen.type("i", "esc").marked() == []


def test_what_is_new_comes_first_then_all_that_waits() -> None:
    screen = Screen(table(4, SIZE)).waits(
        waiting(9, workflow_id="wf-00000001"), waiting(8, workflow_id="wf-00000002")
    )
    screen.type("!")
    assert screen.state.table.cursor == 1

    screen.type("enter").read(inside=_inside(screen.view)).type("esc", "g", "!")
    assert screen.state.table.cursor == 2

    screen.type("i", "esc", "g", "!")
    assert screen.state.table.cursor == 1


def test_from_inside_one_the_next_is_opened() -> None:
    screen = Screen(table(4, SIZE)).waits(
        waiting(9, workflow_id="wf-00000001"), waiting(8, workflow_id="wf-00000003")
    )

    screen.type("!", "enter").read(inside=_inside(screen.view)).type("!")

    assert screen.state.detail is not None
    assert screen.state.detail.workflow_id == "wf-00000003"


def test_what_the_rows_do_not_show_is_told_to_be_in_the_inbox() -> None:
    screen = Screen(table(2, SIZE)).waits(waiting(9, workflow_id=None))

    assert "the inbox, i, has" in screen.type("!").text


def test_a_tab_with_new_output_is_marked_until_it_is_looked_at() -> None:
    screen = Screen(table(1, SIZE))
    screen.type("enter").read(inside=_inside(screen.view, coordi="1", worker="1"))
    assert "•" not in screen.text.splitlines()[2]

    screen.read(inside=_inside(screen.view, coordi="2", worker="2"))
    assert "○ w1• " in screen.text
    assert "coordinator]" in screen.text

    screen.type("2").type("1")
    assert "w1•" not in screen.text


def test_output_while_one_was_away_is_marked() -> None:
    screen = Screen(table(1, SIZE))
    screen.type("enter").read(inside=_inside(screen.view, coordi="1", worker="1")).type("esc")

    screen.type("enter").read(inside=_inside(screen.view, coordi="1", worker="5"))

    assert "w1•" in screen.text
