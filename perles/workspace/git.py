"""Git in a folder that agents write to: it starts no program of theirs, and its answer is bounded.

Every call may block: it belongs neither on an event loop nor into a transaction.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.workspace.program import Bounds, run_program

SECONDS: Final = 60.0
MAX_BYTES: Final = 64 * 1024 * 1024
"""What git may print."""
_SAFE: Final = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "submodule.recurse=false"),
)
"""What an agent wrote into the repository's configuration starts no program."""
_ENVIRON: Final = {
    "LANGUAGE": "en",  # what git says is read: LC_ALL would reach the user's hooks, too
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # no remote is asked for objects that are not here
    "GIT_NO_LAZY_FETCH": "1",
}
_FILTER: Final = lazy_pattern(
    r"filter\..*\.(?:clean|smudge|process|required)|merge\..*\.driver", re.DOTALL
)
_REFUSING: Final = ("required", ".driver")
"""Keys that are switched off by `false`: a driver of merges that fails leaves a conflict."""
_MOST_FILTERS: Final = 200


class GitError(Exception):
    """Git did not answer, or said no; the text is a line of it."""


def told(error: Exception) -> str:
    """What went wrong, without git's own "fatal: ", for a sentence of ours."""
    return str(error).removeprefix("fatal: ")


def without_git(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without git's own variables, which lead to other repositories."""
    return {key: value for key, value in environ.items() if not key.startswith("GIT_")}


def filters(folder: Path, *, seconds: float = SECONDS) -> list[str]:
    """The keys of the configuration that name programs for a file's content."""
    listed = git(folder, "config", "--null", "--name-only", "--list", seconds=seconds).split("\0")
    found = [key for key in dict.fromkeys(listed) if _FILTER.fullmatch(key)]
    if len(found) > _MOST_FILTERS:
        raise GitError(f"its configuration names {len(found)} filters")
    return found


class Answer(NamedTuple):
    """How git ended: its exit code, all that it printed, and the line of errors that tells most."""

    code: int
    out: str
    said: str


def git(folder: Path, *args: str, off: Sequence[str] = (), seconds: float = SECONDS) -> str:
    """What git prints. Raises `GitError`. The keys `off` of its configuration are empty."""
    return need(folder, *args, off=off, seconds=seconds).strip()


def need(
    folder: Path,
    *args: str,
    off: Sequence[str] = (),
    seconds: float = SECONDS,
    env: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """All that git prints, as it is. Raises `GitError` where it does not succeed."""
    answer = ask(folder, *args, off=off, seconds=seconds, env=env)
    if answer.code:
        raise GitError(answer.said or f"exit code {answer.code}")
    return answer.out


def ask(
    folder: Path,
    *args: str,
    off: Sequence[str] = (),
    seconds: float = SECONDS,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """Run git to its end, whatever its exit code is. Raises `GitError` where it has none.

    The keys `off` of its configuration are empty. They go by the environment: on a command
    line, a key may not hold a `=`. `env` is over the environment of this process.
    """
    environ = without_git(os.environ)
    if off:
        environ["GIT_CONFIG_COUNT"] = str(len(off))
        for number, key in enumerate(off):
            environ[f"GIT_CONFIG_KEY_{number}"] = key
            environ[f"GIT_CONFIG_VALUE_{number}"] = "false" if key.endswith(_REFUSING) else ""
    try:
        ended = run_program(
            ["git", *_SAFE, *args],
            cwd=folder,
            env={**environ, **_ENVIRON, **env},
            bounds=Bounds(seconds, MAX_BYTES),
        )
    except OSError as error:
        raise GitError(str(error)) from error
    if ended.code is None:
        raise GitError("it took too long")
    if ended.cut:
        raise GitError("it printed too much")
    said = _telling(ended.err.decode(errors="replace"))
    return Answer(ended.code, ended.out.decode(errors="replace"), said)


def _telling(said: str) -> str:
    """The line of what git says that tells what is wrong: hints may follow it."""
    lines = said.strip().splitlines()
    wrong = (line for line in lines if line.startswith(("fatal: ", "error: ")))
    return next(wrong, lines[-1] if lines else "")
