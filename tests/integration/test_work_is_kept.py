"""Whatever is done with worktrees, in any order: no uncommitted or unmerged work is removed."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from perles import ControlPlane, WorkflowSpec
from perles.workspace.merging import MergeError
from tests.integration.cli import Home
from tests.integration.repositories import commit, commits, git, repository

NUMBERS = count()
ACTS = ("write", "commit", "edit", "merge", "squash", "rebase", "clean", "main")
STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(ACTS)), min_size=4, max_size=14)


class Life:
    """A repository with two ended workflows and their worktrees, and what is in them."""

    def __init__(self, plane: ControlPlane, home: Home) -> None:
        self.plane = plane
        self.repo = repository(home.work / f"repo{next(NUMBERS)}")
        self.ids = [self._workflow(home) for _ in range(2)]
        self.trees = [Path(plane.worktree(id)["path"]) for id in self.ids]
        self.uncommitted: list[dict[str, str]] = [{}, {}]
        self.committed: set[str] = set()

    def _workflow(self, home: Home) -> str:
        file = home.pipeline("p", [commits("one")])
        args = {"file": str(file)}
        id = self.plane.create(
            WorkflowSpec(template_id="pipeline", args=args, work_dir=str(self.repo), worktree=True)
        )
        one = self.plane.worktree(id)
        git(self.repo, "worktree", "add", "-q", "-b", one["branch"], one["path"])
        self.plane.stop(id)
        return id

    def do(self, which: int, act: str) -> None:
        """One step; where it cannot be done, nothing is."""
        tree, id = self.trees[which], self.ids[which]
        if act == "main":
            (self.repo / f"main{next(NUMBERS)}.txt").write_text("x")
            commit(self.repo, "on main")
        elif act == "clean":
            self.plane.clean_worktrees()
        elif act in ("merge", "squash", "rebase"):
            try:
                if act == "rebase":
                    self.plane.rebase(id)
                else:
                    self.plane.merge(id, squash=act == "squash")
            except MergeError:
                assert self.uncommitted[which], "nothing else is in the way here"
        elif tree.is_dir():
            self._work(which, act)

    def _work(self, which: int, act: str) -> None:
        tree, mine = self.trees[which], self.uncommitted[which]
        if act == "commit" and mine:
            commit(tree, "work")
            self.committed |= set(mine)
            mine.clear()
        elif act == "edit":
            mine["shared.txt"] = f"edited {next(NUMBERS)} by {which}\n"
            lines = (tree / "shared.txt").read_text().splitlines(keepends=True)
            lines[0 if which == 0 else 19] = mine["shared.txt"]
            (tree / "shared.txt").write_text("".join(lines))
        elif act == "write":
            name = f"file{next(NUMBERS)}.txt"
            (tree / name).write_text(name)
            mine[name] = name

    def check(self) -> None:
        """All that was written is there, or in a branch."""
        for tree, files in zip(self.trees, self.uncommitted, strict=True):
            for name, text in files.items():
                assert text in (tree / name).read_text()
        branches = git(self.repo, "for-each-ref", "--format=%(refname)", "refs/heads").split()
        there: set[str] = set()
        for branch in branches:
            there |= set(git(self.repo, "ls-tree", "-r", "--name-only", branch).splitlines())
        assert self.committed <= there


@pytest.fixture
def plane(home: Home, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    return ControlPlane(home.root)


@settings(
    max_examples=8,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(steps=STEPS)
def test_no_step_removes_work_that_is_nowhere_else(
    plane: ControlPlane, home: Home, steps: list[tuple[int, str]]
) -> None:
    life = Life(plane, home)
    for which, act in steps:
        life.do(which, act)
        life.check()
    git(life.repo, "fsck", "--strict")
