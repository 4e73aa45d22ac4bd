"""Commits on their way from one repository to another, as files that git makes and reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perles.workspace.git import GitError, ask, git, need
from perles.workspace.replica.snapshot import ReplicaError

SECONDS: Final = 600.0
MAX_HAVE: Final = 64
"""Commits by which one side says what it has."""


def known(repository: Path, commits: Sequence[str]) -> list[str]:
    """Those of these commits that are in the repository. Raises `GitError`."""
    found = []
    for commit in commits[:MAX_HAVE]:
        if is_id(commit) and ask(repository, "cat-file", "-e", f"{commit}^{{commit}}").code == 0:
            found.append(commit)
    return found


def is_id(text: str) -> bool:
    """Whether a text is the id of an object, whole."""
    return len(text) in (40, 64) and all(letter in "0123456789abcdef" for letter in text)


def pack(repository: Path, ref: str, have: Sequence[str], into: Path) -> bool:
    """Write what a ref has over the commits `have`; False where that is nothing.

    Raises `GitError`.
    """
    tip = git(repository, "rev-parse", "--verify", "-q", f"{ref}^{{commit}}")
    common = known(repository, have)
    wanted = ("rev-list", "--count", "--max-count=1", tip, *(f"^{one}" for one in common))
    if tip in common or git(repository, *wanted, seconds=SECONDS) == "0":
        return False
    how = ("bundle", "create", "--quiet", str(into), ref, *(f"^{one}" for one in common))
    try:
        need(repository, *how, seconds=SECONDS)
    except GitError as error:
        raise ReplicaError(f"git does not pack {ref}: {error}") from error
    return True


def unpack(repository: Path, bundle: Path, tip: str) -> None:
    """Take in what a bundle has; `tip` is there then. Raises `GitError` where it is cut."""
    try:
        need(repository, "bundle", "unbundle", str(bundle), seconds=SECONDS)
    except GitError as error:
        raise ReplicaError(f"git does not take the bundle: {error}") from error
    need_commit(repository, tip)


def need_commit(repository: Path, commit: str) -> None:
    """Raises `GitError` where the commit is not here with all that belongs to it."""
    if not is_id(commit) or ask(repository, "cat-file", "-e", f"{commit}^{{tree}}").code:
        raise ReplicaError(f"commit {commit[:40]!r} did not come along")
