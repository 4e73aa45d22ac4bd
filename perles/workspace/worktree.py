"""A git worktree that a workflow worked in: does it hold work that is nowhere else?"""

import os
import subprocess
from pathlib import Path
from typing import Final

_SECONDS: Final = 60.0
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""What an agent wrote into the repository's configuration starts no program."""


class _GitError(Exception):
    """Git did not answer."""


def unmerged(worktree: Path) -> str | None:
    """Why the worktree must stay, None when all of its work is in other branches too.

    Where git cannot tell, it stays.
    """
    try:
        if _git(worktree, "rev-parse", "--show-toplevel") != os.path.realpath(worktree):
            return "it is no git worktree"
        if _git(worktree, "status", "--porcelain", "--untracked-files=normal"):
            return "it has changes that are not committed"
        branch = _git(worktree, "rev-parse", "--abbrev-ref", "HEAD")
        others = (f"--exclude={branch}", "--branches", f"--exclude=*/{branch}", "--remotes")
        count = int(_git(worktree, "rev-list", "--count", "HEAD", "--not", *others))
    except _GitError as error:
        return f"git cannot tell: {error}"
    return f"{count} commits of {branch} are in no other branch" if count else None


def remove_worktree(worktree: Path) -> str | None:
    """Remove a worktree that holds nothing; its branch stays. Why it could not be, or None."""
    try:
        shared = _git(worktree, "rev-parse", "--path-format=absolute", "--git-common-dir")
        if shared == _git(worktree, "rev-parse", "--path-format=absolute", "--git-dir"):
            return "it is the repository itself, no worktree of it"
        _git(Path("/"), f"--git-dir={shared}", "worktree", "remove", str(worktree))
    except _GitError as error:
        return f"git does not remove it: {error}"
    return None


def _git(folder: Path, *args: str) -> str:
    """What git prints. Raises `_GitError`."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *args],
            cwd=folder,
            env=environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _GitError(str(error)) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _GitError(said[-1] if said else f"exit code {done.returncode}")
    return done.stdout.decode(errors="replace").strip()
