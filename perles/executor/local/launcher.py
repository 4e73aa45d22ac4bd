"""Agent processes: started in a session of their own, with their output in files.

A launcher shell waits for the agent and leaves its exit status in a file: a later reader, even
another engine, can read how it ended. No pipe ties the two. Which process it is: `identity`; what
it started: `processes`.
"""

import os
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from perles.agents.provider import Launch
from perles.domain.patterns import lazy_pattern
from perles.executor.contract import Exit, Identity, SpawnError, Told, TurnFiles
from perles.executor.local import watermark
from perles.executor.local.forks import PROGRAM, ForkServer
from perles.executor.local.identity import boot_id, look, read_proc
from perles.executor.local.processes import members
from perles.workspace import door

# `trap :` lets the shell outlive a TERM to the group, so that it can tell how the agent ended.
# The status is whole when its line has its end: one write, and no process more to move it there.
# Where it cannot be written (a full disk, a deleted folder, a pipe or a link that the agent put
# there), the launcher's own exit status still tells its parent.
# An agent gets the number of open files that the engine was given, not the one it took.
_OPEN_FILES: Final = resource.getrlimit(resource.RLIMIT_NOFILE)
_ENOUGH_FILES: Final = 65_536
MAX_CODE: Final = 255
_STATUS: Final = lazy_pattern(r"exit ([0-9]{1,3})(?: ([^\n]+))?\n")
_SOFT: Final = "unlimited" if _OPEN_FILES[0] == resource.RLIM_INFINITY else _OPEN_FILES[0]
_LAUNCHER: Final = (
    f"ulimit -S -n {_SOFT}; "
    "trap : TERM INT HUP; "
    '"$@"; '
    "code=$?; trap '' TERM INT HUP; umask 0077; "
    'if [ ! -L "$0" ] && { [ -f "$0" ] || [ ! -e "$0" ]; }; then '
    '{ printf "exit %s\\n" "$code" > "$0"; } 2>/dev/null; fi; '
    "exit $code"
)


def take_open_files() -> None:
    """Let this process open many files, as far as it may: it needs two or three a live turn."""
    hard = _OPEN_FILES[1]
    most = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, _OPEN_FILES[0]), hard))


def spawn(
    launch: Launch,
    *,
    cwd: Path,
    env: Mapping[str, str],
    files: TurnFiles,
    umask: int | None = None,
) -> Identity:
    """Start `launch` in a session of its own; its identity. Raises `SpawnError`.

    The identity is the launcher's, which ends right after the agent. The agent has the
    umask that is given, or ours.
    """
    door.write(files.stdin, launch.stdin)
    door.clear(files.status)
    for name, content in launch.files.items():
        door.write(files.stdout.parent / name, content)
    try:
        with (
            door.reading(files.stdin) as stdin,
            os.fdopen(door.create(files.stdout, append=True), "ab") as stdout,
            os.fdopen(door.create(files.stderr, append=True), "ab") as stderr,
            watermark.given(env.get("PERLES_TURN")),
        ):
            child = subprocess.Popen(
                ["/bin/sh", "-c", _launcher(umask), str(files.status), *launch.argv],
                cwd=cwd,
                env={**env, **launch.env},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
    except OSError as error:
        raise SpawnError(
            f"cannot start {launch.argv[0]} in {cwd}: {error.strerror}; check that both exist"
        ) from error
    except ValueError as error:
        raise SpawnError(
            f"cannot start {launch.argv[0]} in {cwd}: {error}; look for a NUL in its arguments "
            "and variables"
        ) from error
    child.returncode = 0  # reaped by `reap`, not by Popen: nobody keeps this object
    return _identity_of(child.pid)


def _launcher(umask: int | None) -> str:
    return _LAUNCHER if umask is None else f"umask {umask:04o}; {_LAUNCHER}"


def reap(pid: int) -> Exit | None:
    """Take the status of the launcher, our own ended child; None where it is not ours."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if ended == 0:
        return None
    return Exit(from_shell(os.waitstatus_to_exitcode(status)), not os.WIFSIGNALED(status))


def left_status(status: Path) -> int | None:
    """The exit code that the launcher left, None when it could not."""
    found = left_words(status)
    return None if found is None else from_shell(found.code)


def left_words(status: Path) -> Told | None:
    """What the launcher left, as it stands there."""
    try:
        text = door.read_small(status).decode(errors="replace")
    except OSError:
        return None  # it was not written, or somebody put something else in its place
    found = _STATUS.fullmatch(text)
    if found is None or int(found[1]) > MAX_CODE:
        return None  # nothing yet, a part, or no launcher's
    return Told(int(found[1]), found[2] or "")


def lead(
    forks: ForkServer,
    launch: Launch,
    *,
    cwd: Path,
    env: Mapping[str, str],
    files: TurnFiles,
    umask: int | None = None,
) -> Identity:
    """Start a task's command, led by a fork in a session of its own. Raises `SpawnError`."""
    how = launch.command
    assert how is not None
    try:
        written = {files.stdin.name: launch.stdin, **launch.files}
        door.renew(files.stdout.parent, written, without=files.status.name)
        output = door.create(files.stdout, append=True)
        try:
            asked = {
                "argv": list(launch.argv),
                "env": {**env, **launch.env},
                "cwd": how.folder or str(cwd),
                "status": str(files.status),
                "umask": umask,
                "timeout": how.timeout,
                "grace": how.grace,
                "problem": how.problem,
                "done": how.done,
                "name": how.name,
            }
            turn = env["PERLES_TURN"]
            pid = forks.start(asked, output, turn=turn)
            if pid is None and (led := find_launcher(f"PERLES_TURN={turn}", files)) is not None:
                return led
            pid = pid or forks.start(asked, output, turn=turn)
        finally:
            os.close(output)
    except OSError as error:
        raise SpawnError(f"cannot start {how.name} in {cwd}: {error.strerror}") from error
    if pid is None:
        raise SpawnError(f"cannot start {how.name} in {cwd}: what starts commands is killed")
    return _identity_of(pid)


def _identity_of(pid: int) -> Identity:
    """Which process has just been started, also where it has ended by now."""
    found = look(pid)
    return Identity(pid, found[2] if found else 0, boot_id())


def from_shell(code: int) -> int:
    """The code as ours: a shell says 128 + N for signal N, we say -N."""
    return 128 - code if code > 128 else code


def launched(pid: int) -> list[bytes]:
    """What the launcher with this pid started: its argv; [] where that is no launcher."""
    try:
        words = read_proc(f"/proc/{pid}/cmdline").split(b"\0")[:-1]
    except OSError:
        return []  # it ended meanwhile
    return words[4:] if words[1:2] == [b"-c"] else []


def find_launcher(marker: str, files: TurnFiles) -> Identity | None:
    """The launcher of the turn with this marker and these files, if it lives."""
    for identity in members([marker]):
        stat = look(identity.pid)
        if stat is None or stat[1] != identity.pid:
            continue  # what a launcher has just forked looks like it, but leads no session
        try:
            with Path(f"/proc/{identity.pid}/cmdline").open("rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        is_shell = words[1:2] == [b"-c"] and words[3:4] == [os.fsencode(files.status)]
        if is_shell or words[3:4] == [os.fsencode(PROGRAM)]:
            return identity
    return None
