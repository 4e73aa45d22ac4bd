"""Whatever is done with worktrees, in any order: no uncommitted or unmerged work is removed."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import NotFoundError, PerlesError, WrongStateError
from perles.workspace.allocation import Wanted, WorktreeError, allocate
from perles.workspace.merging import MergeError
from tests.integration.cli import Home
from tests.integration.repositories import commit, commits, git, repository

NUMBERS = count()
ACTS = (
    *("write", "commit", "edit", "merge", "squash", "rebase", "clean", "main"),
    *("archive", "prune", "take", "untie", "half", "lock", "detach"),
)
"""What agents and persons do, what an engine does at a start, and what a crash leaves."""
STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(ACTS)), min_size=6, max_size=16)


def _of_one(*acts: str) -> list[tuple[int, str]]:
    """Steps that chance rarely brings together, all with one worktree."""
    return [(0, act) for act in acts]


class Life:
    """A repository with two ended workflows and their worktrees, and what is in them."""

    def __init__(self, plane: ControlPlane, home: Home) -> None:
        self.plane = plane
        self.repo = repository(home.work / f"repo{next(NUMBERS)}")
        self.ids = [self._workflow(home) for _ in range(2)]
        self.trees = [Path(plane.worktree(id)["path"]) for id in self.ids]
        self.uncommitted: list[dict[str, str]] = [{}, {}]
        self.committed: set[str] = set()
        self.odd = [False, False]
        """Whether something but uncommitted work may be in the way of a step."""
        self.wanted = [self._wanted(plane.worktree(id)) for id in self.ids]

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

    def _wanted(self, one: dict[str, Any]) -> Wanted:
        marker = ("PERLES_WORKFLOW", one["id"])
        where = (Path(one["repository"]), Path(one["path"]), one["branch"])
        return Wanted(*where, one["base_branch"], copy=(), link=(), marker=marker)

    def _worktree_lines(self) -> list[str]:
        return git(self.repo, "worktree", "list", "--porcelain").splitlines()

    def do(self, which: int, act: str) -> None:
        """One step; where it cannot be done, nothing is."""
        tree, id = self.trees[which], self.ids[which]
        if act == "main":
            (self.repo / f"main{next(NUMBERS)}.txt").write_text("x")
            commit(self.repo, "on main")
        elif act == "clean":
            self.plane.clean_worktrees()
        elif act == "prune":
            self.plane.prune(older_than=0.0)
        elif act == "archive":
            self._archive(id)
        elif act == "take":
            self._take(which)
        elif act in ("merge", "squash", "rebase"):
            try:
                if act == "rebase":
                    self.plane.rebase(id)
                else:
                    self.plane.merge(id, squash=act == "squash")
            except MergeError:
                assert self.uncommitted[which] or self.odd[which], "nothing else is in the way"
            except PerlesError:
                assert not tree.is_dir() or self.odd[which]
        elif tree.is_dir():
            self._work(which, act)

    def _archive(self, id: str) -> None:
        try:
            self.plane.archive(id)
        except (NotFoundError, WrongStateError):
            return  # it was pruned, or is archived

    def _take(self, which: int) -> None:
        """What a start does: a worktree that is there is taken up, one that is not is made."""
        try:
            allocate(self.wanted[which])
        except WorktreeError:
            assert self.odd[which]
        else:
            self.odd[which] = self._head_is_detached(which)

    def _head_is_detached(self, which: int) -> bool:
        return git(self.trees[which], "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"

    def _disturb(self, which: int, act: str) -> None:
        """What an agent or a crash may leave of a worktree with work in it."""
        tree = self.trees[which]
        own = self.repo / ".git" / "worktrees" / tree.name
        self.odd[which] = True
        if act == "untie":
            (tree / ".git").unlink(missing_ok=True)
        elif act == "half":
            (own / "locked").write_text("initializing")
        elif act == "lock":
            (own / "locked").write_text("by somebody")
        elif (tree / ".git").exists():
            git(tree, "checkout", "-q", "--detach")

    def _work(self, which: int, act: str) -> None:
        tree, mine = self.trees[which], self.uncommitted[which]
        if act in ("untie", "half", "lock", "detach"):
            self._disturb(which, act)
        elif not (tree / ".git").exists():
            return
        elif act == "commit" and mine:
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
        heads = [one.split()[1] for one in self._worktree_lines() if one.startswith("HEAD ")]
        for branch in [*branches, *heads]:
            there |= set(git(self.repo, "ls-tree", "-r", "--name-only", branch).splitlines())
        assert self.committed <= there


@pytest.fixture
def plane(home: Home, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    return ControlPlane(home.root)


@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(steps=STEPS)
@example(steps=_of_one("write", "untie", "take", "commit", "clean"))
@example(steps=_of_one("write", "half", "take", "clean", "commit", "half", "take", "prune"))
@example(steps=_of_one("detach", "write", "commit", "clean", "take", "prune", "archive", "clean"))
@example(steps=_of_one("edit", "lock", "clean", "take", "prune", "commit", "merge", "clean"))
def test_no_step_removes_work_that_is_nowhere_else(
    plane: ControlPlane, home: Home, steps: list[tuple[int, str]]
) -> None:
    life = Life(plane, home)
    for which, act in steps:
        life.do(which, act)
        life.check()
    git(life.repo, "fsck", "--strict")
