"""Git in a folder that agents write to: it starts no program of theirs, and its answer is bounded.

Every call may block: it belongs neither on an event loop nor into a transaction.
"""

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

SECONDS: Final = 60.0
MAX_BYTES: Final = 64 * 1024 * 1024
"""What git may print."""
_SAFE: Final = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "submodule.recurse=false"),
)
"""What an agent wrote into the repository's configuration starts no program."""
_ENVIRON: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # no remote is asked for objects that are not here
    "GIT_NO_LAZY_FETCH": "1",
}
_FILTER: Final = re.compile(
    r"filter\..*\.(?:clean|smudge|process|required)|merge\..*\.driver", re.DOTALL
)
_REFUSING: Final = ("required", ".driver")
"""Keys that are switched off by `false`: a driver of merges that fails leaves a conflict."""
_MOST_FILTERS: Final = 200
_CHUNK: Final = 64 * 1024


class GitError(Exception):
    """Git did not answer, or said no; the text is a line of it."""


def told(error: Exception) -> str:
    """What went wrong, without git's own "fatal: ", for a sentence of ours."""
    return str(error).removeprefix("fatal: ")


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
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    if off:
        environ["GIT_CONFIG_COUNT"] = str(len(off))
        for number, key in enumerate(off):
            environ[f"GIT_CONFIG_KEY_{number}"] = key
            environ[f"GIT_CONFIG_VALUE_{number}"] = "false" if key.endswith(_REFUSING) else ""
    try:
        process = subprocess.Popen(
            ["git", *_SAFE, *args],
            cwd=folder,
            env={**environ, **_ENVIRON, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise GitError(str(error)) from error
    with process:
        try:
            out, said = _read(process, time.monotonic() + seconds)
            code = process.wait(timeout=seconds)
        except (GitError, subprocess.TimeoutExpired) as error:
            process.kill()
            raise GitError(str(error)) from error
    return Answer(code, out.decode(errors="replace"), _telling(said.decode(errors="replace")))


def _telling(said: str) -> str:
    """The line of what git says that tells what is wrong: hints may follow it."""
    lines = said.strip().splitlines()
    wrong = (line for line in lines if line.startswith(("fatal: ", "error: ")))
    return next(wrong, lines[-1] if lines else "")


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """All that it prints, and what it says of errors. Raises `GitError` past a bound."""
    assert process.stdout is not None
    assert process.stderr is not None
    got = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    poll, is_open = select.poll(), len(got)
    for descriptor in got:
        poll.register(descriptor, select.POLLIN)
    while is_open:
        left = deadline - time.monotonic()
        ready = poll.poll(left * 1000) if left > 0 else []
        if not ready:
            raise GitError("it took too long")
        for descriptor, _ in ready:
            piece = os.read(descriptor, _CHUNK)
            got[descriptor] += piece
            if not piece:
                poll.unregister(descriptor)
                is_open -= 1
        if sum(map(len, got.values())) > MAX_BYTES:
            raise GitError("it printed too much")
    out, said = got.values()
    return bytes(out), bytes(said)
