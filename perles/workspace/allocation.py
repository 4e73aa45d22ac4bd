"""Making a worktree for a workflow, and undoing that: what a crash left is taken up or replaced."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import PerlesError
from perles.workspace import checkout
from perles.workspace.git import GitError, ask, git, need, told
from perles.workspace.repository import Checkout, checkouts, commit_of, has_branch

SECONDS: Final = 30.0
"""How long git may take to make a worktree, everything together."""
_INITIALIZING: Final = "initializing"
"""Why git itself locks a worktree as long as it makes it."""


class Wanted(NamedTuple):
    """A worktree as it is to be: of which repository, where, on which branch, from which base.

    `copy` and `link` are paths below the repository that git ignores but work needs. The git
    that makes it carries `marker`, so that an engine finds it after a crash.
    """

    repository: Path
    path: Path
    branch: str
    base: str | None
    copy: Sequence[str]
    link: Sequence[str]
    marker: tuple[str, str]


class Made(NamedTuple):
    """What there is now: the commit that its work begins at, and what was made for it."""

    base_commit: str
    made: bool
    made_branch: bool


class WorktreeError(PerlesError):
    """A worktree cannot be made."""


def allocate(wanted: Wanted) -> Made:
    """Make the worktree, or take up the one that is there. Blocks, at most `SECONDS`.

    Raises `WorktreeError`; then everything is as it was before.
    """
    try:
        return _allocate(wanted, time.monotonic() + SECONDS)
    except (GitError, OSError) as error:
        raise WorktreeError(f"its worktree cannot be made: {told(error)}") from error


def _allocate(wanted: Wanted, deadline: float) -> Made:
    base = commit_of(wanted.repository, wanted.base or "HEAD")
    if base is None:
        raise WorktreeError(
            f"its worktree cannot be made: there is no {wanted.base or 'commit'!r} in "
            f"{wanted.repository} any more"
        )
    exists = has_branch(wanted.repository, wanted.branch)
    if _is_there(wanted):
        return Made(_fork(wanted, base), made=False, made_branch=False)
    wanted.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        how: tuple[str, ...] = ("--", str(wanted.path), wanted.branch)
        if not exists:
            how = ("-b", wanted.branch, "--", str(wanted.path), base)
        checkout.add(
            wanted.repository,
            how,
            seconds=max(0.0, deadline - time.monotonic()),
            env=dict([wanted.marker]),
        )
        made = Made(_fork(wanted, base), made=True, made_branch=not exists)
        checkout.bring(wanted.repository, wanted.path, wanted.copy, wanted.link)
    except (GitError, OSError):
        undo(wanted, Made(base, made=True, made_branch=not exists))
        raise
    return made


def undo(wanted: Wanted, made: Made) -> None:
    """Remove what `allocate` made, and nothing else; it held no work yet."""
    if not made.made:
        return
    checkout.remove(wanted.repository, wanted.path)
    if made.made_branch:
        ref = f"refs/heads/{wanted.branch}"
        try:
            need(wanted.repository, "update-ref", "-d", ref, made.base_commit)
        except GitError:
            return  # somebody committed there, or git never came to make it


def _is_there(wanted: Wanted) -> bool:
    """Whether the worktree is there already; what git did not come to make is removed.

    Raises `WorktreeError` where something else stands in its place, or its branch elsewhere.
    """
    for one in checkouts(wanted.repository):
        if os.path.realpath(one.path) == os.path.realpath(wanted.path):
            if _is_whole(wanted, one):
                return True
            checkout.remove(wanted.repository, wanted.path)
        elif one.branch == wanted.branch:
            raise WorktreeError(
                f"its worktree cannot be made: branch {wanted.branch!r} is checked out in "
                f"{one.path}"
            )
    if os.path.lexists(wanted.path):
        raise WorktreeError(
            f"its worktree cannot be made: {wanted.path} exists and is no worktree of "
            f"{wanted.repository}; move it away"
        )
    return False


def _is_whole(wanted: Wanted, one: Checkout) -> bool:
    """Whether an agent may have worked there: git has written all files, and the index after them.

    A lock of the git that made it is opened, and what ties it to its repository is mended where an
    agent removed that. Raises `WorktreeError` where it cannot be.
    """
    if not os.path.lexists(wanted.path):
        return False
    if not (wanted.path / ".git").is_file():
        ask(wanted.repository, "worktree", "repair", str(wanted.path))
        if not (wanted.path / ".git").is_file():
            raise WorktreeError(
                f"its worktree cannot be used: {wanted.path} is not tied to {wanted.repository} "
                "any more; save what is in it, and remove it"
            )
    if one.lock != _INITIALIZING:
        return True
    index = git(wanted.path, "rev-parse", "--path-format=absolute", "--git-path", "index")
    if not os.path.lexists(index):
        return False
    need(wanted.repository, "worktree", "unlock", str(wanted.path))
    return True


def _fork(wanted: Wanted, base: str) -> str:
    """Where the branch left its base: the first commit of its own comes after that."""
    try:
        return need(wanted.repository, "merge-base", base, f"refs/heads/{wanted.branch}").strip()
    except GitError:
        return base  # they share nothing, or the agent renamed its branch
