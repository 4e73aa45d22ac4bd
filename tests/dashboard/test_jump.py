"""`:` goes to anything by its name."""

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.jump import Jump, Target, commands
from perles.dashboard.model.state import Detail, Effect, State, View, tabs_of
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.segments import columns_of
from perles.domain.fuzzy import like, rank
from perles.store.sqlite.driver import dbapi
from tests.dashboard.test_hostile import FORBIDDEN
from tests.dashboard.views import inside, pressed, table
from tests.integration.cli import Home

SIZE = (100, 30)


def _found(source: Source, text: str, state: State | None = None) -> tuple[State, View]:
    """What is offered for these letters."""
    state = state or State()
    source.changed()
    view = source.view(state, View(), SIZE)
    state, _ = pressed(state, view, ":", *text)
    return state, source.view(state, view, SIZE)


def _created(home: Home, name: str, *keys: str) -> str:
    path = home.pipeline(name, [{"key": key, "run": "true"} for key in keys])
    return str(home.json("create", path, "--json")["id"])


def test_letters_find_workflows_and_what_is_in_the_one_in_hand(home: Home) -> None:
    first = _created(home, "alpha release", "lint-all", "unit")
    second = _created(home, "100%_sure", "ship")
    source = Source(home.database)
    here = State(screen="detail", detail=Detail(first))

    _, view = _found(source, "alrel")
    assert [(one.kind, one.workflow_id) for one in view.targets][:1] == [("workflow", first)]
    _, view = _found(source, "%_s")
    assert [one.workflow_id for one in view.targets if one.kind == "workflow"] == [second]
    _, view = _found(source, second[:9])
    assert second in [one.workflow_id for one in view.targets]
    for letters in ("lint", "LINT", "lal"):
        _, view = _found(source, letters, here)
        assert view.targets[0][:3] == ("task", "lint-all", first), letters
    _, view = _found(source, "general", here)
    assert ("channel", "general", first) in [one[:3] for one in view.targets]
    assert not any(one.name == "ship" for one in _found(source, "ship", here)[1].targets)
    _, view = _found(source, "max_workers")
    assert [one.kind for one in view.targets] == ["setting", "setting"][: len(view.targets)]
    _, view = _found(source, "inbox")
    assert ("command", "i") in [(one.kind, one.key) for one in view.targets]
    source.close()


def test_enter_goes_there() -> None:
    view = inside(SIZE)
    here = "wf-00000000"

    def after(target: Target, state: State) -> tuple[State, list[Effect]]:
        shown = view._replace(targets=(Target("workflow", "other", "wf-2"), target))
        return pressed(state, shown, ":", "down", "enter")

    for state in (State(), State(screen="detail", detail=Detail(here))):
        opened, _ = after(Target("agent", "worker-1", here), state)
        assert opened.detail is not None
        assert (opened.screen, opened.detail.tab, opened.jump) == ("detail", "worker-1", None)
        opened, _ = after(Target("task", "b", here), state)
        assert opened.detail is not None
        assert (opened.detail.tab, opened.detail.task, opened.detail.opened) == ("tasks", "b", True)
        opened, _ = after(Target("channel", "planning", "wf-9"), state)
        assert opened.detail is not None
        assert opened.detail.workflow_id == "wf-9"
        assert (opened.detail.tab, opened.detail.channel) == ("channels", "planning")
        asked, effects = after(Target("setting", "theme.preset"), state)
        assert effects == [Effect("setting", {"key": "theme.preset"})]
        assert asked.screen == state.screen
    inbox, _ = after(Target("command", "inbox: what waits for you", key="i"), State())
    assert inbox.screen == "inbox"
    stays, _ = pressed(State(), view, ":", "x", "esc")
    assert stays == State()
    none, _ = pressed(State(), view._replace(targets=()), ":", "x", "enter")
    assert none.notice.text == "nothing is named x"


def test_a_command_is_of_the_key_that_does_what_its_name_tells(home: Home) -> None:
    here = State(screen="detail", detail=Detail(_created(home, "alpha", "a")))
    source = Source(home.database)
    told = {"start": "s", "pause": "p", "stop": "x", "retry": "r", "archive": "a"}
    told |= {"lower the priority": "-", "raise the priority": "+", "previous channel": "C"}
    for text, key in told.items():
        found = [one for one in _found(source, text, here)[1].targets if one.kind == "command"]
        assert found[0].key == key, text
    source.close()
    for screen in ("table", "detail"):
        names = [one.name for one in commands(screen)]
        assert len(names) == len(set(names))


def test_a_number_is_a_tab_however_many_there_are() -> None:
    view = inside(SIZE)
    assert view.inside is not None
    many = [{**dict(view.inside.agents[1]), "name": f"worker-{n}"} for n in range(1, 15)]
    view = view._replace(inside=view.inside._replace(agents=[view.inside.agents[0], *many]))
    state = State(screen="detail", detail=Detail("wf-00000000"))

    gone, _ = pressed(state, view, ":", "1", "2", "enter")

    assert gone.detail is not None
    assert gone.detail.tab == "worker-11"


def test_enter_goes_to_the_row_that_is_marked_also_where_a_number_is_typed() -> None:
    named = Target("agent", "worker-3", "wf-00000000", "in this workflow")
    view = inside(SIZE)._replace(targets=(named,))
    state = State(screen="detail", detail=Detail("wf-00000000"))

    typed, _ = pressed(state, view, ":", "2")
    _, frame = Composer().compose(typed, view)
    first, _ = pressed(typed, view, "enter")
    second, _ = pressed(typed, view, "down", "enter")

    assert any("tab 2" in "".join(text for text, _ in line) for line in frame.lines)
    assert first.detail is not None
    assert second.detail is not None
    assert (first.detail.tab, second.detail.tab) == (tabs_of(view)[1], "worker-3")


def test_names_of_others_are_shown_and_nothing_more() -> None:
    hostile = "\x1b[2J\x9b31m‮evil\n\ud800表🎉" * 20
    targets = tuple(
        Target(kind, hostile, hostile, hostile) for kind in ("workflow", "agent", "task")
    )
    for size in ((100, 30), (40, 12), (24, 5), (200, 50)):
        view = table(3, size)._replace(targets=targets)
        _, frame = Composer().compose(State(jump=Jump()), view)
        assert len(frame.lines) == size[1]
        for line in frame.lines:
            assert columns_of(line) == size[0]
            assert not any(FORBIDDEN.search(part) for part, _ in line)


def test_what_ranks_is_what_the_pattern_lets_through() -> None:

    names = ["a%b", "a_b", "a\\b", "axb", "AB", "lint all", "Äb", "b", "", "a" * 300 + "b"]
    connection = dbapi.connect(":memory:")
    for wanted in ("", "a%", "a_", "\\", "ab", "äb", "l a", "A"):
        for name in names:
            query = r"SELECT ? LIKE ? ESCAPE '\'"
            (fits,) = connection.execute(query, (name, like(wanted))).fetchone()
            assert fits or rank(wanted, name) is None, (wanted, name)
    ranks = [rank("li", name) for name in ("lint", "the lint", "alive", "lost in", "none")]
    known = [one for one in ranks if one is not None]
    assert known == sorted(known)
    assert ranks[4] is None
    assert rank("a" * 10_000, "b" * 10_000) is None
