"""A work dir as one commit: what is committed, and what is not, without what git ignores.

Nothing of the work dir is changed: git works on a copy of its index. The same content gives the
same commit, so that it can be made again after a crash.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace.git import GitError, ask, filters, git, need
from perles.workspace.index_copy import private_index

SECONDS: Final = 300.0
"""How long git may take for all files of a work dir."""
_WHO: Final = {
    "GIT_AUTHOR_NAME": "Perles",
    "GIT_AUTHOR_EMAIL": "perles@localhost",
    "GIT_COMMITTER_NAME": "Perles",
    "GIT_COMMITTER_EMAIL": "perles@localhost",
}
_TRIES: Final = 3
"""How often files are read that change meanwhile."""


class ReplicaError(GitError):
    """A work dir cannot be kept alike over machines; the text says why."""


class DiskFullError(ReplicaError):
    """A disk has no room for what is to come: later it may have."""


class Snapshot(NamedTuple):
    """`head` is the commit that is checked out, `branch` None where none is.

    `commit` has the files as they are: `head` itself where all is committed.
    """

    head: str
    branch: str | None
    commit: str
    tree: str


def commit_tree(folder: Path, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit with a date that follows from its parents. Raises `GitError`."""
    date = "@0 +0000"
    if parents:
        date = "@" + need(folder, "show", "-s", "--format=%cd", "--date=raw", parents[0]).strip()
    env = {**_WHO, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    how = [word for parent in parents for word in ("-p", parent)]
    return need(folder, "commit-tree", tree, *how, "-m", message, env=env).strip()


def take(folder: Path, brought: Sequence[str] = ()) -> Snapshot:
    """The work dir as it is now; `brought` are files that are not of it. Blocks.

    Raises `GitError`.
    """
    with private_index(folder) as env:
        return take_with(folder, env, brought)


def take_with(folder: Path, env: Mapping[str, str], brought: Sequence[str] = ()) -> Snapshot:
    """The same, with a private index that has all of these files afterwards."""
    head = head_of(folder)
    branch = ask(folder, "symbolic-ref", "-q", "--short", "HEAD").out.strip() or None
    off = filters(folder)
    but = [f":(top,exclude,literal){name}" for name in brought]
    for left in reversed(range(_TRIES)):
        try:
            need(folder, "add", "--all", "--", ":/", *but, off=off, env=env, seconds=SECONDS)
            break
        except GitError:
            if not left:
                raise
    # It writes the index, too, and looks into files that changed a moment ago: with their filters.
    tree = need(folder, "write-tree", off=off, env=env).strip()
    if tree == git(folder, "rev-parse", f"{head}^{{tree}}"):
        return Snapshot(head, branch, head, tree)
    made = commit_tree(folder, tree, [head], "Files that are not committed")
    return Snapshot(head, branch, made, tree)


def head_of(folder: Path) -> str:
    """The commit that is checked out. Raises `GitError`."""
    answer = ask(folder, "rev-parse", "--verify", "-q", "HEAD^{commit}")
    if answer.code:
        git(folder, "rev-parse", "--git-dir")  # raises where it is no repository
        raise ReplicaError(f"{folder} has no commit yet; make one")
    return answer.out.strip()
