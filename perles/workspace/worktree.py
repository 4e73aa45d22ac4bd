"""A git worktree that a workflow worked in: does it hold work that is nowhere else?"""

import os
from pathlib import Path

from perles.workspace.git import GitError, filters, git


def unmerged(worktree: Path) -> str | None:
    """Why the worktree must stay, None when all of its work is in other branches too.

    Where git cannot tell, it stays.
    """
    try:
        if git(worktree, "rev-parse", "--show-toplevel") != os.path.realpath(worktree):
            return "it is no git worktree"
        if "160000 " in git(worktree, "ls-files", "--stage", "--sparse"):
            return "it has submodules"  # git would ask them, under configurations of their own
        status = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all")
        if git(worktree, *status, off=filters(worktree)):
            return "it has changes that are not committed"
        branch = git(worktree, "rev-parse", "--abbrev-ref", "HEAD")
        others = (f"--exclude={branch}", "--branches", f"--exclude=*/{branch}", "--remotes")
        count = int(git(worktree, "rev-list", "--count", "HEAD", "--not", *others))
    except GitError as error:
        return f"git cannot tell: {error}"
    return f"{count} commits of {branch} are in no other branch" if count else None


def remove_worktree(worktree: Path) -> str | None:
    """Remove a worktree that holds nothing; its branch stays. Why it could not be, or None."""
    try:
        shared = git(worktree, "rev-parse", "--path-format=absolute", "--git-common-dir")
        if shared == git(worktree, "rev-parse", "--path-format=absolute", "--git-dir"):
            return "it is the repository itself, no worktree of it"
        remove = (f"--git-dir={shared}", "worktree", "remove", str(worktree))
        git(Path("/"), *remove, off=filters(worktree))
    except GitError as error:
        return f"git does not remove it: {error}"
    return None
