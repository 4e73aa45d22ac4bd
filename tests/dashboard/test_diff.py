"""The diff on the screen: every line with its number, and comments that go to an agent."""

from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.pool import Answer
from perles.dashboard.jobs.worker import _do
from perles.dashboard.model.diff import Diff, parse
from perles.dashboard.model.state import State, View
from perles.dashboard.terminal.keys import Key
from perles.dashboard.terminal.segments import columns_of
from perles.dashboard.update import answers
from perles.dashboard.update.dispatch import press
from perles.domain.errors import NotFoundError
from tests.dashboard.views import pressed, table
from tests.integration.cli import Home
from tests.integration.repositories import commits, git, repository

PATCH = """\
diff --git a/src/a.py b/src/a.py
index 1..2 100644
--- a/src/a.py
+++ b/src/a.py
@@ -10,3 +10,3 @@ def f():
 ten
-eleven
+diff --git a/x b/x
 twelve
@@ -90,2 +90,1 @@
-ninety
 ninety-one
\\ No newline at end of file
diff --git a/b.bin b/b.bin
new file mode 100644
Binary files /dev/null and b/b.bin differ
"""
FILES: list[dict[str, Any]] = [
    {"path": "src/a.py", "old_path": None, "added": 1, "removed": 2},
    {"path": "b.bin", "old_path": None, "added": None, "removed": None},
]
FOUND: dict[str, Any] = {
    "id": "wf-00000000", "name": "n", "state": "running", "branch": "mine", "base": "abc",
    "patch": PATCH, "files": FILES, "agents": ["coordinator", "worker-1"], "cut": False,
}  # fmt: skip
VIEW = table(3, (100, 20))


def shown(found: dict[str, Any] | None = None, view: View = VIEW) -> State:
    """The table, `D` on its first row, and the answer of the worker."""
    state, effects = pressed(State(), view, "D")
    assert [(one.kind, one.args["id"]) for one in effects] == [("diff", "wf-00000000")]
    state, _ = answers.take(state, Answer("diff", effects[0].args, found or FOUND, None))
    return state


def drawn(state: State, view: View = VIEW) -> str:
    """The screen, as text."""
    _, frame = Composer().compose(state, view)
    assert {columns_of(line) for line in frame.lines} == {view.size[0]}
    return "\n".join("".join(part.text for part in line) for line in frame.lines)


def at(state: State) -> str:
    """The text of the selected line."""
    assert state.diff is not None
    assert state.diff.selected is not None
    return state.diff.selected.text


def test_each_line_has_its_number_before_and_after_the_change() -> None:
    told = [(row.kind, row.text, row.old, row.new) for row in parse(PATCH, FILES)]

    assert told == [
        ("file", "src/a.py", None, None),
        ("hunk", "@@ -10,3 +10,3 @@ def f():", None, None),
        ("same", "ten", 10, 10),
        ("del", "eleven", 11, None),
        ("add", "diff --git a/x b/x", None, 11),
        ("same", "twelve", 12, 12),
        ("hunk", "@@ -90,2 +90,1 @@", None, None),
        ("del", "ninety", 90, None),
        ("same", "ninety-one", 91, 90),
        ("note", "\\ No newline at end of file", None, None),
        ("file", "b.bin", None, None),
        ("note", "new file mode 100644", None, None),
        ("note", "Binary files /dev/null and b/b.bin differ", None, None),
    ]


def test_keys_go_by_line_hunk_and_file() -> None:
    state = shown()
    state, _ = pressed(state, VIEW, "j", "]")
    assert at(state).startswith("@@ -90")
    state, _ = pressed(state, VIEW, "tab")
    assert at(state) == "b.bin"
    state, _ = pressed(state, VIEW, "shift-tab", "[", "G", "k")
    assert at(state) == "new file mode 100644"
    assert "── b.bin · file 2 of 2 " in drawn(state)


def test_a_search_goes_round() -> None:
    state, _ = pressed(shown(), VIEW, "/", *"ninety", "enter")
    assert at(state) == "ninety"
    state, _ = pressed(state, VIEW, "n")
    assert at(state) == "ninety-one"
    state, _ = pressed(state, VIEW, "n", "N")
    assert at(state) == "ninety-one"
    state, _ = pressed(state, VIEW, "/", *"nowhere", "enter")
    assert "no line has" in state.notice.text


def test_a_comment_goes_to_the_chosen_agent_with_file_and_line() -> None:
    state, _ = pressed(shown(), VIEW, "j", "j", "j", "j", "c", *"why", "tab")
    assert "to worker-1" in drawn(state)

    state, effects = pressed(state, VIEW, "enter")

    ((kind, args),) = effects
    assert (kind, args["id"], args["to"]) == ("send", "wf-00000000", "worker-1")
    assert args["text"] == (
        "About src/a.py, line 11:\n     ten\n    -eleven\n    +diff --git a/x b/x\n\nwhy"
    )
    assert "▌ to worker-1: why" in drawn(state)


def test_a_line_that_was_removed_is_told_by_its_old_number() -> None:
    state, _ = pressed(shown(), VIEW, "j", "j", "j", "c", *"why?")
    _, ((_, args),) = pressed(state, VIEW, "enter")
    assert args["text"].startswith("About src/a.py, line 11 as it was before the change:")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"state": "completed"}, "it is completed: no agent reads comments"),
        ({"agents": []}, "there is no agent yet"),
        ({"patch": "", "files": []}, "there are no changes"),
    ],
)
def test_where_nobody_reads_a_comment_none_is_begun(found: dict[str, Any], told: str) -> None:
    state, effects = pressed(shown({**FOUND, **found}), VIEW, "c")
    assert told in state.notice.text
    assert not effects


def test_an_empty_comment_is_not_sent_and_esc_leaves_step_by_step() -> None:
    state, effects = pressed(shown(), VIEW, "c", "enter")
    assert not effects
    state, _ = pressed(state, VIEW, "esc")
    assert (state.screen, state.diff is not None) == ("diff", True)
    state, _ = pressed(state, VIEW, "esc")
    assert (state.screen, state.diff) == ("table", None)


def test_it_is_opened_from_the_inside_of_a_workflow_and_leads_back_there() -> None:
    state, _ = pressed(State(), VIEW, "enter", "D", "esc")
    assert state.screen == "detail"


def test_what_cannot_be_read_is_told_and_read_again() -> None:
    state, effects = pressed(State(), VIEW, "D")
    assert "reading …" in drawn(state)
    state, _ = answers.take(state, Answer("diff", effects[0].args, None, "cannot look"))
    assert "cannot look" in drawn(state)
    state, (again,) = pressed(state, VIEW, "R")
    state, _ = answers.take(state, Answer("diff", again.args, FOUND, None))
    assert "twelve" in drawn(state)


def test_an_answer_that_comes_late_changes_nothing() -> None:
    state, effects = pressed(State(), VIEW, "D", "esc")
    assert answers.take(state, Answer("diff", effects[0].args, FOUND, None))[0] == state


def test_the_selected_line_is_in_sight_at_every_size_and_so_is_what_was_written_of_it() -> None:
    long = "".join(f"+line {number}\n" for number in range(3000))
    patch = f"diff --git a/l b/l\n@@ -0,0 +1,3000 @@\n{long}"
    for size in ((24, 5), (40, 10), (80, 24), (140, 40)):
        view = table(3, size)
        state = shown({**FOUND, "patch": patch}, view)
        for keys in (("G", "c", *"said", "enter"), ("g",), ("pagedown",) * 3, ("G", "k", "k")):
            state, _ = pressed(state, view, *keys)
            state, _ = Composer().compose(state, view)
            assert at(state) in drawn(state, view), (size, keys)


def test_a_long_diff_says_that_it_is_cut() -> None:
    state, _ = pressed(shown({**FOUND, "cut": True}), VIEW, "G")
    assert "only the first 20000 lines are shown" in drawn(state)


def test_a_long_line_is_read_sideways() -> None:
    patch = f"diff --git a/l b/l\n@@ -0,0 +1,1 @@\n+{'x' * 95}END\n"
    state = shown({**FOUND, "patch": patch})
    assert "END" not in drawn(state)
    state, _ = pressed(state, VIEW, "l", "l")
    assert "END" in drawn(state)


def test_a_click_selects_a_line() -> None:
    state = shown()
    lines = drawn(state).split("\n")
    row = next(n for n, text in enumerate(lines) if "twelve" in text)
    state, _ = press(state, Key("click", x=9, y=row), VIEW)
    assert at(state) == "twelve"


def test_the_worker_reads_it_of_git(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    repo, plane = repository(home.work), ControlPlane(home.root)
    file = home.pipeline("p", [commits("one")])
    args = {"file": str(file)}
    spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(repo), worktree=True)
    id = plane.create(spec)
    tree = Path(plane.worktree(id)["path"])
    git(repo, "worktree", "add", "-q", "-b", plane.worktree(id)["branch"], str(tree))
    (tree / "shared.txt").write_text("x\n" * 40_000)
    (tree / "tab\tname é.txt").write_text("y\n")

    found = _do(plane, "diff", {"id": id})

    state = State(screen="diff", diff=Diff(id))
    state, _ = answers.take(state, Answer("diff", {"id": id}, found, None))
    assert state.diff is not None
    assert [row.text for row in state.diff.rows or () if row.kind == "file"] == ["shared.txt"]
    assert found["cut"]
    (tree / "shared.txt").write_text("z\n")
    state, _ = answers.take(state, Answer("diff", {"id": id}, _do(plane, "diff", {"id": id}), None))
    state, _ = pressed(state, VIEW, "G")
    assert "tab" in drawn(state)
    with pytest.raises(NotFoundError):
        _do(plane, "diff", {"id": "wf-none"})
