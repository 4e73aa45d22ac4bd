"""A git worktree that a workflow worked in: does it hold work that is nowhere else?"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SECONDS: Final = 60.0
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""What an agent wrote into the repository's configuration starts no program."""
_FILTER: Final = re.compile(r"filter\..*\.(?:clean|smudge|process|required)", re.DOTALL)
_MOST_FILTERS: Final = 200


class _GitError(Exception):
    """Git did not answer."""


def unmerged(worktree: Path) -> str | None:
    """Why the worktree must stay, None when all of its work is in other branches too.

    Where git cannot tell, it stays.
    """
    try:
        if _git(worktree, "rev-parse", "--show-toplevel") != os.path.realpath(worktree):
            return "it is no git worktree"
        if "160000 " in _git(worktree, "ls-files", "--stage", "--sparse"):
            return "it has submodules"  # git would ask them, under configurations of their own
        status = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all")
        if _git(worktree, *status, off=_programs(worktree)):
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
        remove = (f"--git-dir={shared}", "worktree", "remove", str(worktree))
        _git(Path("/"), *remove, off=_programs(worktree))
    except _GitError as error:
        return f"git does not remove it: {error}"
    return None


def _programs(worktree: Path) -> list[str]:
    """The keys of the configuration that name programs for a file's content."""
    listed = _git(worktree, "config", "--null", "--name-only", "--list").split("\0")
    found = [key for key in dict.fromkeys(listed) if _FILTER.fullmatch(key)]
    if len(found) > _MOST_FILTERS:
        raise _GitError(f"its configuration names {len(found)} filters")
    return found


def _git(folder: Path, *args: str, off: Sequence[str] = ()) -> str:
    """What git prints. Raises `_GitError`. The keys `off` of its configuration are empty.

    They go by the environment: on a command line, a key may not hold a `=`.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    if off:
        environ["GIT_CONFIG_COUNT"] = str(len(off))
        for number, key in enumerate(off):
            environ[f"GIT_CONFIG_KEY_{number}"] = key
            environ[f"GIT_CONFIG_VALUE_{number}"] = "" if not key.endswith("required") else "false"
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
