"""Bringing what another machine did into a work dir: all of it, or, in conflict, nothing.

It is a merge of three: how both sides were when they were last alike, and how each is now. Files
that nobody committed stay uncommitted. Carried out twice it changes nothing, so that a crash in
the middle is mended by doing it again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from perles.workspace.git import GitError, ask, filters, git, need
from perles.workspace.index_copy import private_index
from perles.workspace.merging import merged_tree
from perles.workspace.replica.bundles import need_commit
from perles.workspace.replica.snapshot import (
    ReplicaError,
    Snapshot,
    commit_tree,
    take_with,
)


class Theirs(NamedTuple):
    """The other side: what is checked out there, and a commit with all its files."""

    head: str
    commit: str


class Joined(NamedTuple):
    """How the work dir is now. `conflicts` are files that both sides changed: nothing was done."""

    now: Snapshot
    conflicts: Sequence[str] = ()


def join(folder: Path, theirs: Theirs, base: str | None, brought: Sequence[str] = ()) -> Joined:
    """Bring their changes since `base` into the work dir. Blocks. Raises `GitError`.

    `base` None is where both histories part.
    """
    for commit in (*theirs, *([base] if base else [])):
        need_commit(folder, commit)
    off = filters(folder)
    with private_index(folder) as env:
        ours = take_with(folder, env, brought)
        if ours.commit == theirs.commit and ours.head == theirs.head:
            return Joined(ours)
        head, conflicts = _joined_head(folder, ours.head, theirs.head, off)
        if conflicts:
            return Joined(ours, conflicts)
        base = base or git(folder, "merge-base", ours.head, theirs.head)
        tree, conflicts = _joined_tree(folder, base, ours.commit, theirs.commit, off)
        if conflicts:
            return Joined(ours, conflicts)
        _write_files(folder, ours.tree, tree, env, off)
        _move_head(folder, ours.head, head, off)
        return Joined(take_with(folder, env, brought))


def _joined_head(
    folder: Path, ours: str, theirs: str, off: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """The commit that has both histories; or the files in conflict."""
    if _has(folder, ours, theirs):
        return ours, ()
    if _has(folder, theirs, ours):
        return theirs, ()
    tree, conflicts = merged_tree(folder, ours, theirs, off)
    if conflicts:
        return "", conflicts
    return commit_tree(folder, tree, [ours, theirs], "Merge work of another machine"), ()


def _has(folder: Path, commit: str, other: str) -> bool:
    return ask(folder, "merge-base", "--is-ancestor", other, commit).code == 0


def _joined_tree(
    folder: Path, base: str, ours: str, theirs: str, off: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """The files of both; or those in conflict. Their common past is `base`, whatever git knows."""
    trees = [git(folder, "rev-parse", f"{one}^{{tree}}") for one in (base, ours, theirs)]
    if trees[2] in (trees[0], trees[1]):
        return trees[1], ()
    if trees[1] == trees[0]:
        return trees[2], ()
    root = commit_tree(folder, trees[0], [], "base")
    sides = [commit_tree(folder, tree, [root], "side") for tree in trees[1:]]
    return merged_tree(folder, sides[0], sides[1], off)


def _write_files(
    folder: Path, old: str, new: str, env: Mapping[str, str], off: Sequence[str]
) -> None:
    """Let the files go from one tree to the other; git refuses where one changed meanwhile."""
    if old == new:
        return
    need(folder, "update-index", "-q", "--refresh", env=env, off=off)
    try:
        need(folder, "read-tree", "-m", "-u", old, new, env=env, off=off)
    except GitError as error:
        raise ReplicaError(f"git does not write the files of {folder}: {error}") from error


def _move_head(folder: Path, old: str, new: str, off: Sequence[str]) -> None:
    """Let the branch go on, and the index with it; the files are there already."""
    if old != new:
        need(folder, "update-ref", "-m", "perles: work of another machine", "HEAD", new, old)
        if ask(folder, "read-tree", "-m", old, new, off=off).code:
            need(folder, "read-tree", "--reset", new, off=off)  # what was staged is not any more
    ask(folder, "update-index", "-q", "--refresh", off=off)
