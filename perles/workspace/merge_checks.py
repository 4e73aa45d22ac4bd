"""The checks of a merge: commands that must pass in a checkout of what the target would be."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace import checkout, door
from perles.workspace.git import GitError, told, without_git
from perles.workspace.program import Bounds, Ended, run_program

MAX_OUTPUT: Final = 64 * 1024
"""Bytes of a check's output that are kept: the last ones."""
MAX_LINES: Final = 40
_SHOWN: Final = 100
"""Characters of a command in an error."""
CHECKOUT_SECONDS: Final = 120.0


class MergeChecks(NamedTuple):
    """What must pass: `commands`, each read by `program`, `seconds` for all together.

    They run in a checkout in `folder`, which holds what git ignores, `copy` and `link`, too.
    """

    commands: Sequence[str]
    program: Sequence[str]
    seconds: float
    folder: Path
    copy: Sequence[str] = ()
    link: Sequence[str] = ()


class Failed(NamedTuple):
    """The check that did not pass, how it ended, and the last lines of what it printed."""

    check: str
    ended: str
    output: str


def run_checks(
    checks: MergeChecks,
    repository: Path,
    commit: str,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> Failed | None:
    """Run all checks on a commit; the first that fails, or None. Blocks.

    `tell` is given each command before it runs. Raises `GitError`. The caller has the
    lock of the repository: there is one such checkout at a time.
    """
    deadline = time.monotonic() + checks.seconds
    env = without_git(environ)
    with scratch(checks, repository, commit) as place:
        for command in checks.commands:
            tell(command)
            left = max(0.0, deadline - time.monotonic())
            ended = _ended(checks, command, place, env, left)
            if ended.code != 0:
                shown = command if len(command) <= _SHOWN else command[:_SHOWN] + "…"
                return Failed(shown, _how(ended, checks.seconds), _last_lines(ended.out))
    return None


@contextmanager
def scratch(checks: MergeChecks, repository: Path, commit: str) -> Iterator[Path]:
    """A checkout of the commit; one that a killed process left is removed first."""
    name = hashlib.sha256(os.path.realpath(repository).encode()).hexdigest()[:16]
    path = checks.folder / f".checks-{name}"
    try:
        checks.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove(repository, path)
        how = ("--detach", "--", str(path), commit)
        checkout.add(repository, how, seconds=CHECKOUT_SECONDS)
        checkout.bring(repository, path, checks.copy, checks.link)
    except OSError as error:
        _remove(repository, path)
        raise GitError(f"no checkout for the checks: {told(error)}") from error
    try:
        yield path
    finally:
        _remove(repository, path)


def _remove(repository: Path, path: Path) -> None:
    if os.path.lexists(path) or checkout.checkout_at(repository, path):
        checkout.remove(repository, path)


def _ended(
    checks: MergeChecks, command: str, place: Path, env: Mapping[str, str], seconds: float
) -> Ended:
    script = place.with_name(f"{place.name}.script")
    door.write(script, f"{command}\n".encode(errors="replace"))
    try:
        return run_program(
            [*checks.program, str(script)],
            cwd=place,
            env=env,
            bounds=Bounds(seconds, MAX_OUTPUT, tail=True),
            together=True,
        )
    except OSError as error:
        raise GitError(f"{checks.program[0]} cannot be run: {error.strerror}") from error
    finally:
        script.unlink(missing_ok=True)


def _how(ended: Ended, seconds: float) -> str:
    if ended.code is None:
        return f"was not done after {seconds:g}s"
    if ended.code < 0:
        return f"was killed by signal {-ended.code}"
    return f"ended with exit {ended.code}"


def _last_lines(output: bytes) -> str:
    lines = output.decode(errors="replace").rstrip().splitlines()
    return "\n".join(lines[-MAX_LINES:])
