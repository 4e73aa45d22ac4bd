"""What git shows of a piece of work: branch, commits and their files. Found, never believed."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.workspace.git import GitError, filters, git

LOOK_SECONDS: Final = 10.0
"""How long one look may take, all its questions together."""
MAX_COMMITS: Final = 50
MAX_FILES: Final = 100
"""Commits of a look, and files of each, that are named."""
MAX_SUBJECT: Final = 200
_COMMIT_ID: Final = lazy_pattern(r"[0-9a-fA-F]{4,64}")


class Commit(NamedTuple):
    """A commit that is in the repository. `files` are the first; `changed` is how many there are.

    `on_branch` tells whether the branch that is checked out has it, `named` whether somebody
    named it as theirs.
    """

    id: str
    subject: str
    files: list[str]
    changed: int
    on_branch: bool
    named: bool = False


class Look(NamedTuple):
    """A repository as it is now, newest commit first.

    `head` is "" before the first commit, `branch` None where none is checked out. Of the commits
    that somebody names, `missing` are not in the repository, `earlier` were there before.
    `dirty` tells of changes that are not committed, None where nobody asked. `error` tells why
    git could not answer; all else says nothing then.
    """

    head: str = ""
    branch: str | None = None
    commits: Sequence[Commit] = ()
    more: bool = False
    missing: Sequence[str] = ()
    earlier: Sequence[str] = ()
    dirty: bool | None = None
    error: str | None = None


def in_repository(folder: Path) -> bool:
    """Whether a folder is in a git repository, as far as that can be seen without git."""
    return any(os.path.lexists(one / ".git") for one in (folder, *folder.parents))


def look(
    folder: Path, base: str | None = None, named: Sequence[str] = (), *, status: bool = False
) -> Look | None:
    """What the repository of `folder` shows since the commit `base`; None where there is none.

    `base` is "" for all commits, None for the `named` ones only. With `status` it is
    told whether there are changes that are not committed. Blocks, at most `LOOK_SECONDS`.
    """
    if not in_repository(folder):
        return None
    ask = _Questions(folder, time.monotonic() + LOOK_SECONDS)
    try:
        return _look(ask, base, named, status=status)
    except GitError as error:
        return Look(error=f"git cannot tell: {error}")


class _Questions:
    """Asks git about one folder, until the time is up."""

    def __init__(self, folder: Path, deadline: float) -> None:
        self.folder, self._deadline = folder, deadline

    @property
    def seconds(self) -> float:
        """The time that is left."""
        return max(0.0, self._deadline - time.monotonic())

    def __call__(self, *args: str, off: Sequence[str] = ()) -> str:
        return git(self.folder, *args, off=off, seconds=self.seconds)

    def maybe(self, *args: str) -> str | None:
        """The answer; None where git says no."""
        try:
            return self(*args)
        except GitError:
            if self.seconds <= 0:
                raise
            return None


def _look(ask: _Questions, base: str | None, named: Sequence[str], *, status: bool) -> Look:
    head = ask.maybe("rev-parse", "--verify", "-q", "HEAD^{commit}") or ""
    if not head:
        ask("rev-parse", "--git-dir")  # raises where git does not take it for a repository
    branch = ask.maybe("symbolic-ref", "-q", "--short", "HEAD")
    since, more = _since(ask, base, head)
    found, missing, earlier = _named(ask, named, base)
    on_branch = dict.fromkeys(since, True)
    for id in found:
        if id not in on_branch:
            on_branch[id] = _is_in(ask, id, head)
    return Look(
        head=head,
        branch=branch,
        commits=[
            _commit(ask, id, on_branch=there)._replace(named=id in found)
            for id, there in on_branch.items()
        ],
        more=more,
        missing=missing,
        earlier=earlier,
        dirty=_is_dirty(ask) if status else None,
    )


def _since(ask: _Questions, base: str | None, head: str) -> tuple[list[str], bool]:
    """The commits of the branch since `base`, and whether there are more than are named."""
    if base is None or not head or head == base:
        return [], False
    wanted = [head, f"^{base}"] if base else [head]
    listed = ask("rev-list", f"--max-count={MAX_COMMITS + 1}", *wanted, "--").split()
    return listed[:MAX_COMMITS], len(listed) > MAX_COMMITS


def _named(
    ask: _Questions, named: Sequence[str], base: str | None
) -> tuple[list[str], list[str], list[str]]:
    """The named commits that are there, that are not, and that were there before."""
    found: list[str] = []
    missing: list[str] = []
    earlier: list[str] = []
    for name in dict.fromkeys(named):
        id = None
        if _COMMIT_ID.fullmatch(name):
            id = ask.maybe("rev-parse", "--verify", "-q", f"{name}^{{commit}}")
        if id is None:
            missing.append(name)
        elif base and _is_in(ask, id, base):
            earlier.append(name)
        else:
            found.append(id)
    return found, missing, earlier


def _is_in(ask: _Questions, id: str, head: str) -> bool:
    """Whether the history of `head` has the commit."""
    return bool(head) and ask.maybe("merge-base", "--is-ancestor", id, head) is not None


def _commit(ask: _Questions, id: str, *, on_branch: bool) -> Commit:
    how = ("-r", "-z", "--root", "--name-only", "--no-renames", "--no-ext-diff", "--format=%s%x00")
    subject, _, files = ask("diff-tree", *how, id).partition("\0")
    names = [name for name in files.strip("\0\n").split("\0") if name]
    return Commit(id, subject[:MAX_SUBJECT], names[:MAX_FILES], len(names), on_branch)


def _is_dirty(ask: _Questions) -> bool:
    """Whether something is not committed; with submodules nobody can tell without asking them."""
    if "160000 " in ask("ls-files", "--stage", "--sparse"):
        return True
    off = filters(ask.folder, seconds=ask.seconds)
    how = ("--porcelain", "--untracked-files=normal", "--ignore-submodules=all")
    return bool(ask("status", *how, off=off))


def as_receipt(seen: Look, base: str | None) -> dict[str, Any]:
    """What is kept of a look on the row of its task."""
    return {
        "branch": seen.branch,
        "base": base,
        "commits": [commit._asdict() for commit in seen.commits],
        "more": seen.more,
    }
