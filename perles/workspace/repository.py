"""The repository from which a worktree is made: is it one, from where, and on which branch?"""

from pathlib import Path
from typing import NamedTuple

from perles.domain.errors import UsageError
from perles.domain.plain import is_one_line
from perles.workspace.git import GitError, ask, git, told

SECONDS = 30.0


class Checkout(NamedTuple):
    """A worktree of a repository, as git lists it; `branch` is None where none is checked out."""

    path: Path
    branch: str | None
    lock: str | None


class Ground(NamedTuple):
    """What a worktree is made from.

    `top` is the folder of the repository, `subfolder` where below it somebody was. `base` is the
    branch, or what else was named; None for a commit that no branch was checked out for.
    """

    top: Path
    subfolder: str
    base: str | None
    commit: str


def ground(folder: Path, base: str | None) -> Ground:
    """Look at the repository of `folder`. Raises `UsageError` where no worktree can be made."""
    try:
        bare = git(folder, "rev-parse", "--is-bare-repository", seconds=SECONDS)
    except GitError as error:
        raise UsageError(
            f"cannot make a worktree of {folder}: {told(error)}; use a git repository, or leave "
            "the worktree out"
        ) from error
    if bare == "true":
        raise UsageError(f"cannot make a worktree of {folder}: it is a bare repository; clone it")
    try:
        top = git(folder, "rev-parse", "--show-toplevel", seconds=SECONDS)
        prefix = git(folder, "rev-parse", "--show-prefix", seconds=SECONDS)
        head = ask(folder, "symbolic-ref", "-q", "--short", "HEAD", seconds=SECONDS).out.strip()
        commit = commit_of(folder, base or "HEAD")
    except GitError as error:
        raise UsageError(f"cannot make a worktree of {folder}: {error}") from error
    if commit is None and base is not None:
        raise UsageError(f"cannot begin at {base!r}: there is no such branch or commit in {top}")
    if commit is None:
        raise UsageError(f"cannot make a worktree of {top}: it has no commit yet; make one")
    return Ground(Path(top), prefix.rstrip("/"), base or head or None, commit)


def commit_of(folder: Path, name: str) -> str | None:
    """The commit that a name stands for; None where there is none. Raises `GitError`."""
    wanted = ("rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}")
    answer = ask(folder, *wanted, seconds=SECONDS)
    return answer.out.split()[-1] if answer.code == 0 and answer.out.strip() else None


def checkouts(repository: Path) -> list[Checkout]:
    """All worktrees of a repository, its own folder first. Raises `GitError`."""
    listed = git(repository, "worktree", "list", "--porcelain", "-z", seconds=SECONDS)
    found = []
    for entry in listed.split("\0\0"):
        lines = dict(line.partition(" ")[::2] for line in entry.strip("\0").split("\0") if line)
        if "worktree" in lines:
            branch = lines.get("branch", "").removeprefix("refs/heads/") or None
            found.append(Checkout(Path(lines["worktree"]), branch, lines.get("locked")))
    return found


def check_branch(repository: Path, branch: str) -> None:
    """Raise `UsageError` where a worktree cannot be on this branch, new or as it is."""
    try:
        fits = is_one_line(branch) and not branch.startswith("-")
        if not fits or ask(repository, "check-ref-format", f"refs/heads/{branch}").code:
            raise UsageError(f"cannot use branch {branch!r}: git allows no such name")
        for one in checkouts(repository):
            if one.branch == branch:
                raise UsageError(
                    f"cannot use branch {branch!r}: it is checked out in {one.path}; choose "
                    "another one"
                )
        if has_branch(repository, branch):
            return
        names = branch.split("/")
        for end in range(1, len(names)):
            if has_branch(repository, above := "/".join(names[:end])):
                raise UsageError(f"cannot make branch {branch!r}: there is a branch {above!r}")
        below = git(repository, "for-each-ref", "--count=1", f"refs/heads/{branch}/")
    except GitError as error:
        raise UsageError(f"cannot use branch {branch!r}: {error}") from error
    if below:
        other = below.split("refs/heads/", 1)[-1]
        raise UsageError(f"cannot make branch {branch!r}: there is a branch {other!r}")


def has_branch(repository: Path, branch: str) -> bool:
    """Whether there is a branch of this name. Raises `GitError`."""
    wanted = ("show-ref", "--verify", "--quiet", f"refs/heads/{branch}")
    return ask(repository, *wanted, seconds=SECONDS).code == 0
