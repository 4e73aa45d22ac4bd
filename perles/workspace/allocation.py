"""Making a worktree for a workflow, and undoing that: what a crash left is taken up or replaced."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.errors import PerlesError
from perles.workspace.git import GitError, filters, need, told
from perles.workspace.repository import checkouts, commit_of, has_branch

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
        need(
            wanted.repository,
            *("worktree", "add", "--quiet", *how),
            off=filters(wanted.repository),
            seconds=max(0.0, deadline - time.monotonic()),
            env=dict([wanted.marker]),
        )
        made = Made(_fork(wanted, base), made=True, made_branch=not exists)
        for name in wanted.copy:
            _copy(wanted, name)
        for name in wanted.link:
            _link(wanted, name)
    except (GitError, OSError):
        undo(wanted, Made(base, made=True, made_branch=not exists))
        raise
    return made


def undo(wanted: Wanted, made: Made) -> None:
    """Remove what `allocate` made, and nothing else; it held no work yet."""
    if not made.made:
        return
    _remove(wanted)
    if made.made_branch:
        ref = f"refs/heads/{wanted.branch}"
        try:
            need(wanted.repository, "update-ref", "-d", ref, made.base_commit)
        except GitError:
            return  # somebody committed there, or git never came to make it


def _is_there(wanted: Wanted) -> bool:
    """Whether the worktree is there already; what was made by half is removed.

    Raises `WorktreeError` where something else stands in its place, or its branch elsewhere.
    """
    for one in checkouts(wanted.repository):
        if os.path.realpath(one.path) == os.path.realpath(wanted.path):
            if (wanted.path / ".git").is_file() and one.lock != _INITIALIZING:
                return True
            _remove(wanted)
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


def _remove(wanted: Wanted) -> None:
    try:
        need(
            wanted.repository,
            *("worktree", "remove", "--force", "--force", "--", str(wanted.path)),
            off=filters(wanted.repository),
        )
    except GitError:
        # One of which git has made too little to remove it: then it holds no work either.
        shutil.rmtree(wanted.path, ignore_errors=True)
        need(wanted.repository, "worktree", "prune")


def _fork(wanted: Wanted, base: str) -> str:
    """Where the branch left its base: the first commit of its own comes after that."""
    try:
        return need(wanted.repository, "merge-base", base, f"refs/heads/{wanted.branch}").strip()
    except GitError:
        return base  # they share nothing, or the agent renamed its branch


def _copy(wanted: Wanted, name: str) -> None:
    """Copy a file or folder that is there, and not in the worktree yet. Links stay links."""
    source, target = wanted.repository / name, wanted.path / name
    if not os.path.lexists(source) or os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _link(wanted: Wanted, name: str) -> None:
    """Link to what is there: it is shared, and changes in one place are changes in both."""
    source, target = wanted.repository / name, wanted.path / name
    if os.path.lexists(source) and not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
