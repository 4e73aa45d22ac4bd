"""Putting a branch's commits on top of another commit: made in memory, then taken in one step."""

from pathlib import Path
from typing import Final

from perles.workspace.git import GitError, filters, git, need, told
from perles.workspace.merging import MergeError, merged_tree
from perles.workspace.repository import commit_of
from perles.workspace.worktree import named

MAX_COMMITS: Final = 1000
_AUTHOR: Final = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE")


def rebase(repository: Path, branch: str, onto: str, worktree: Path | None) -> tuple[str, int]:
    """Rebase the branch, which `worktree` has checked out, where there is one. Blocks.

    The commit that it now begins at, and how many commits it has. Raises `MergeError`; then
    nothing is changed.
    """
    try:
        return _rebase(repository, branch, onto, worktree)
    except GitError as error:
        raise MergeError(f"cannot rebase {branch} onto {onto}: {told(error)}") from error


def _rebase(repository: Path, branch: str, onto: str, worktree: Path | None) -> tuple[str, int]:
    old, base = commit_of(repository, f"refs/heads/{branch}"), commit_of(repository, onto)
    if old is None or base is None:
        raise GitError(f"there is no {branch if old is None else onto!r} in {repository}")
    listed = git(repository, "rev-list", "--reverse", "--parents", old, f"^{base}", "--")
    commits = [line.split() for line in listed.splitlines()]
    if any(len(one) > 2 for one in commits):
        raise GitError("it contains merge commits; use perles merge")
    if len(commits) > MAX_COMMITS:
        raise GitError(f"it has {len(commits)} commits; {MAX_COMMITS} at most")
    tip, count, off = base, 0, filters(repository)
    for one in commits:
        made = _picked(repository, tip, one[0], one[1:], off)
        count += made != tip
        tip = made
    if tip == old:
        return base, count
    if worktree is None:
        git(repository, "update-ref", "-m", "perles: rebase", f"refs/heads/{branch}", tip, old)
    else:
        git(worktree, "reset", "--keep", "--quiet", tip, off=off)
    return base, count


def _picked(repository: Path, onto: str, commit: str, parents: list[str], off: list[str]) -> str:
    """The change of a commit as a commit on top of `onto`; `onto` where that has it already."""
    if parents == [onto]:
        return commit
    # git merges what it finds the common ancestor of: two commits with the same parent.
    of = git(repository, "rev-parse", f"{parents[0]}^{{tree}}") if parents else _empty(repository)
    trees = [git(repository, "rev-parse", f"{one}^{{tree}}") for one in (onto, commit)]
    ancestor = git(repository, "commit-tree", of, "-m", "base")
    sides = [git(repository, "commit-tree", t, "-p", ancestor, "-m", "side") for t in trees]
    tree, conflicts = merged_tree(repository, sides[0], sides[1], off)
    if conflicts:
        subject = git(repository, "log", "-1", "--format=%h %s", commit, "--")
        raise GitError(f"{subject} is in conflict: {named(conflicts)}")
    if tree == trees[0]:
        return onto
    told = need(repository, "log", "-1", "--format=%an%x00%ae%x00%aI%x00%B", commit, "--")
    *author, message = told.split("\0", 3)
    env = dict(zip(_AUTHOR, author, strict=True))
    words = ("commit-tree", tree, "-p", onto, "-m", message.strip() or "no message")
    return need(repository, *words, env=env).strip()


def _empty(repository: Path) -> str:
    return git(repository, "hash-object", "-t", "tree", "/dev/null")
