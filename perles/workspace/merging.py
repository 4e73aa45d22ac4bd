"""Merging a workflow's branch: tried in memory, then the target is moved in one step, or not."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import PerlesError
from perles.workspace.git import GitError, ask, filters, git, need, told
from perles.workspace.refs import common_dir
from perles.workspace.repository import checkouts, commit_of
from perles.workspace.worktree import named

_TRIES: Final = 20
"""How often the target may move while a merge is made, before it is given up."""
_VERIFIED_TRIES: Final = 3
"""The same where each commit is verified: that may take minutes."""


class MergeError(PerlesError):
    """A branch cannot be merged or rebased; nothing was changed."""


class CheckFailedError(MergeError):
    """A check of the merge did not pass. `output` is the end of what it printed."""

    def __init__(self, cannot: str, check: str, ended: str, output: str) -> None:
        self.check, self.ended, self.output = check, ended, output
        super().__init__(f"{cannot}: its check {check!r} {ended}; correct that on the branch")


class Asked(NamedTuple):
    """What is to be merged: a branch of a repository into another, as a merge or as one commit.

    `verify` is given the commit that the target is about to have; it raises `MergeError` where
    that is not to be.
    """

    repository: Path
    branch: str
    into: str
    message: str
    squash: bool
    verify: Callable[[str], None] | None = None


class Merged(NamedTuple):
    """The commit of the target that has it all, the branch's tip, and whether it was so before."""

    commit: str
    tip: str
    already: bool


def merge(asked: Asked) -> Merged:
    """Merge. Raises `MergeError` with what is in the way; then nothing is changed. Blocks."""
    try:
        for _ in range(_VERIFIED_TRIES if asked.verify else _TRIES):
            done = _try(asked)
            if done is not None:
                return done
    except GitError as error:
        raise MergeError(_cannot(asked, told(error))) from error
    moved = "moved while the merge was checked" if asked.verify else "moves all the time"
    raise MergeError(_cannot(asked, f"{asked.into} {moved}; try again"))


@contextmanager
def locked(folder: Path, repository: Path) -> Iterator[None]:
    """One merge at a time in a repository: others wait. The lock lies in `folder`."""
    common = common_dir(repository)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(os.path.realpath(common).encode()).hexdigest()[:16]
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / f".merge-{name}.lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def merged_tree(
    repository: Path, ours: str, theirs: str, off: Sequence[str]
) -> tuple[str, list[str]]:
    """The tree that a merge of two commits has, and the files in conflict. Raises `GitError`."""
    how = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages")
    answer = ask(repository, *how, ours, theirs, off=off)
    if answer.code not in (0, 1):
        raise GitError(answer.said or f"exit code {answer.code}")
    tree, *conflicts = [piece for piece in answer.out.split("\0") if piece]
    return tree, conflicts if answer.code else []


def _try(asked: Asked) -> Merged | None:
    """Merge into the target as it is now; None where it moved meanwhile."""
    repository = asked.repository
    tip = _need_branch(asked, asked.branch)
    target = _need_branch(asked, asked.into)
    if ask(repository, "merge-base", "--is-ancestor", tip, target).code == 0:
        return Merged(target, tip, already=True)
    off = filters(repository)
    tree, conflicts = merged_tree(repository, target, tip, off)
    if conflicts:
        many = f"{len(conflicts)} files are" if len(conflicts) > 1 else "a file is"
        raise MergeError(
            _cannot(
                asked,
                f"{many} in conflict: {named(conflicts)}; perles rebase, or merge "
                f"{asked.into} in its worktree",
            )
        )
    if tree == git(repository, "rev-parse", f"{target}^{{tree}}"):
        return Merged(target, tip, already=True)  # as one commit, before
    place = _need_clean(asked, off)
    parents = ("-p", target) if asked.squash else ("-p", target, "-p", tip)
    commit = git(repository, "commit-tree", tree, *parents, "-m", asked.message)
    if asked.verify is not None:
        asked.verify(commit)
        place = _need_clean(asked, off)
    return Merged(commit, tip, already=False) if _move(asked, place, target, commit, off) else None


def _need_clean(asked: Asked, off: Sequence[str]) -> Path | None:
    """Where the target is checked out; None where it is not. Raises `MergeError` for changes."""
    checkout = next((one for one in checkouts(asked.repository) if one.branch == asked.into), None)
    if checkout is None:
        return None
    changed = need(checkout.path, "status", "--porcelain", "-z", "--untracked-files=no", off=off)
    if changed:
        files = [entry[3:] for entry in changed.split("\0") if len(entry) > 3]
        raise MergeError(
            _cannot(
                asked,
                f"{asked.into} is checked out in {checkout.path}, with changes that are not "
                f"committed: {named(files)}; commit or stash them",
            )
        )
    return checkout.path


def _move(asked: Asked, place: Path | None, old: str, new: str, off: Sequence[str]) -> bool:
    """Move the target from one commit to another, with the files where it is checked out.

    False where it is at another commit by now.
    """
    ref = f"refs/heads/{asked.into}"
    if place is None:
        words = ("update-ref", "-m", f"perles: merge {asked.branch}", ref, new, old)
        if ask(asked.repository, *words).code == 0:
            return True
        if commit_of(asked.repository, ref) == old:
            raise GitError(f"git does not move {asked.into}")
        return False
    how = ("merge", "--ff-only", "--no-stat", "--no-autostash", "--no-verify-signatures", "--quiet")
    answer = ask(place, *how, new, off=off)
    if commit_of(asked.repository, ref) == new:
        return True
    if commit_of(asked.repository, ref) != old:
        return False
    raise GitError(f"git does not move {place}: {answer.said}")


def _need_branch(asked: Asked, branch: str) -> str:
    found = commit_of(asked.repository, f"refs/heads/{branch}")
    if found is None:
        raise MergeError(
            _cannot(asked, f"there is no branch {branch!r} in {asked.repository}; --into names one")
        )
    return found


def _cannot(asked: Asked, why: str) -> str:
    return f"cannot merge {asked.branch} into {asked.into}: {why}"
