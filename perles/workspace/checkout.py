"""A checkout beside a repository: made, given the files that git ignores, and removed again."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from perles.workspace.git import GitError, filters, need
from perles.workspace.removal import remove_tree
from perles.workspace.repository import checkouts


def add(
    repository: Path,
    how: Sequence[str],
    *,
    seconds: float,
    env: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Have git make one; `how` are its words after `worktree add`. Raises `GitError`."""
    off = filters(repository)
    need(repository, "worktree", "add", "--quiet", *how, off=off, seconds=seconds, env=env)


def remove(repository: Path, path: Path) -> None:
    """Remove one with all that is in it: only where that is no work. Raises `GitError`, `OSError`.

    No other checkout is touched, also where its folder is missing at the moment.
    """
    how = ("worktree", "remove", "--force", "--force", "--", str(path))
    try:
        need(repository, *how, off=filters(repository))
    except GitError:
        # One of which git has made too little to remove it, or that is too deep for it.
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        if checkout_at(repository, path):
            need(repository, *how, off=filters(repository))


def checkout_at(repository: Path, path: Path) -> bool:
    """Whether git has a checkout of the repository there, or had one. Raises `GitError`."""
    real = os.path.realpath(path)
    return any(os.path.realpath(one.path) == real for one in checkouts(repository))


def bring(repository: Path, path: Path, copy: Sequence[str], link: Sequence[str]) -> None:
    """Bring along what git ignores but work needs: where it is there, and not there yet.

    What is linked is shared: changes in one place are changes in both. Raises `OSError`.
    """
    for name in copy:
        _copy(repository / name, path / name)
    for name in link:
        source, target = repository / name, path / name
        if os.path.lexists(source) and not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder. Links stay links."""
    if not os.path.lexists(source) or os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)
