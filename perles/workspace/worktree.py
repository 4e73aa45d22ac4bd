"""A git worktree that a workflow worked in: does it hold work that is nowhere else?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.domain.quoting import in_line
from perles.workspace.git import GitError, filters, git, need
from perles.workspace.refs import common_dir

_NAMED: Final = 5
"""Files that a refusal names."""


class Work(NamedTuple):
    """What a worktree holds that is nowhere else. `error` is set where git cannot tell."""

    uncommitted: Sequence[str] = ()
    commits: int = 0
    branch: str | None = None
    error: str | None = None

    @property
    def why(self) -> str | None:
        """Why the worktree must stay; None where it may go."""
        if self.error is not None:
            return self.error
        if self.uncommitted:
            return f"it has changes that are not committed: {named(self.uncommitted)}"
        if self.commits:
            many = "1 commit" if self.commits == 1 else f"{self.commits} commits"
            verb = "is" if self.commits == 1 else "are"
            return f"{many} of {in_line(self.branch or 'HEAD')} {verb} in no other branch"
        return None


def named(files: Sequence[str]) -> str:
    """The first files of a list, and how many more there are."""
    told = ", ".join(in_line(file) for file in files[:_NAMED])
    return told + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")


def unmerged(
    worktree: Path, brought: Sequence[str] = (), merged: dict[str, Any] | None = None
) -> str | None:
    """Why the worktree must stay, None when all of its work is in other branches too.

    Where git cannot tell, it stays. `brought` and `merged` are as for `work_in`.
    """
    return work_in(worktree, brought, merged).why


def work_in(
    worktree: Path, brought: Sequence[str] = (), merged: dict[str, Any] | None = None
) -> Work:
    """What the worktree holds that is nowhere else. Blocks.

    `brought` are files that came along when it was made. `merged` tells of its last merge: of
    the branch as it was then nothing is lost, also when it was squashed.
    """
    try:
        if git(worktree, "rev-parse", "--show-toplevel") != os.path.realpath(worktree):
            return Work(error="it is no git worktree")
        if "160000 " in git(worktree, "ls-files", "--stage", "--sparse"):
            # git would ask them, under configurations of their own
            return Work(error="it has submodules")
        changed = uncommitted(worktree, brought)
        branch = git(worktree, "rev-parse", "--abbrev-ref", "HEAD")
        others = (f"--exclude={branch}", "--branches", f"--exclude=*/{branch}", "--remotes")
        tip = [merged["tip"]] if merged and has_commit(worktree, merged["commit"]) else []
        count = git(worktree, "rev-list", "--count", "HEAD", "--not", *others, *tip)
    except GitError as error:
        return Work(error=f"git cannot tell: {error}")
    return Work(changed, int(count), branch)


def has_commit(worktree: Path, commit: str) -> bool:
    """Whether a branch other than this worktree's has the commit. Raises `GitError`."""
    wanted = ("for-each-ref", "--count=1", "--format=%(refname)", f"--contains={commit}")
    return bool(git(worktree, *wanted, "refs/heads/"))


def uncommitted(worktree: Path, brought: Sequence[str] = ()) -> list[str]:
    """Files with changes that are not committed, new ones too. Raises `GitError`."""
    status = ("status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=all")
    but = [f":(top,exclude,literal){name}" for name in brought]
    listed = need(worktree, *status, "--", ":/", *but, off=filters(worktree)).split("\0")
    found, at = [], 0
    while at < len(listed):
        entry = listed[at]
        at += 2 if entry[:1] in ("R", "C") else 1  # the old name of a renamed file follows
        if len(entry) > 3:
            found.append(entry[3:])
    return found


def remove_worktree(worktree: Path, *, force: bool = False) -> str | None:
    """Remove a worktree that holds nothing; its branch stays. Why it could not be, or None.

    `force` removes what is not committed, too.
    """
    try:
        shared = common_dir(worktree)
        if shared == git(worktree, "rev-parse", "--path-format=absolute", "--git-dir"):
            return "it is the repository itself, no worktree of it"
        how = ("--force",) if force else ()
        remove = (f"--git-dir={shared}", "worktree", "remove", *how, str(worktree))
        git(Path("/"), *remove, off=filters(worktree))
    except GitError as error:
        return f"git does not remove it: {error}"
    return None
