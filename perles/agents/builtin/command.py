"""Carries out one command of a task: started, watched, ended with all that it left in its group.

The command's output goes to its file by itself, byte for byte: nothing passes through here.
"""

import os
import time

from perles.agents.builtin.lean_stdlib import signal
from perles.agents.builtin.memory import oom_kills

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

TIMED_OUT = 124
STOPPED = 143
UNPREPARED = 126
NOT_FOUND = 127
GRACE = 5.0
"""Seconds between TERM and KILL for the command's processes."""
_LOOK = 0.01
_LARGEST = 128 * 1024
"""Bytes, with the NUL at its end, that Linux allows one argument or variable."""


class Stopped(BaseException):
    """The engine ends this turn."""


def carry_out(asked: "Json", output: int) -> tuple[int, str]:
    """Run one command to its end; its exit code as a shell has it, and a sentence about it.

    Raises `Stopped` where `stop` was called meanwhile.
    """
    if asked["problem"]:
        return UNPREPARED, asked["problem"]
    if asked["done"]:
        return 0, asked["done"]
    environ: dict[str, str] = asked["env"]
    large = [name for name in environ if is_large(name, environ[name])]
    if large:
        return UNPREPARED, f"cannot run it: {large[0]} is over 128 KiB, which only sh and bash take"
    argv, folder, timeout, grace = asked["argv"], asked["cwd"], asked["timeout"], asked["grace"]
    before = oom_kills()
    try:
        os.chdir(folder)
        pid = _start(argv, environ, output)
    except OSError as error:
        what = error.filename if error.filename == folder else f"by {asked['name']}"
        return NOT_FOUND, f"cannot run it {what}: {error.strerror}"
    patience = GRACE if grace is None else float(grace)
    try:
        status = _wait(pid, None if timeout is None else float(timeout))
    except Stopped:
        # Who ends a turn tells all that belongs to it, and a program may take a second TERM for
        # an order to end at once.
        _end_group(pid, patience, is_told=True)
        raise
    _end_group(pid, patience)
    if status is None:
        return TIMED_OUT, f"timed out after {float(timeout):g}s"
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return told(0)
    kills = oom_kills()
    return told(code, is_short=kills is not None and before is not None and kills > before)


def is_large(name: str, value: str) -> bool:
    """Whether no environment can hold this variable."""
    return len(os.fsencode(f"{name}={value}")) >= _LARGEST


def stop(_number: int, _frame: object) -> None:
    """The handler of TERM and INT: what runs is ended, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped


def told(code: int, *, is_short: bool = False) -> tuple[int, str]:
    """An exit code as a shell has it, and in words; `is_short`: memory ran out meanwhile."""
    number = -code if code < 0 else code - 128
    name = _name(number) if 0 < number < 32 else ""
    why = ": out of memory" if is_short and name == "SIGKILL" else ""
    if code < 0:
        return 128 - code, f"killed by {name or f'signal {number}'}{why}"
    # A shell makes such a code of a command that a signal ended.
    return code, f"exit {code}: killed by {name}{why}" if name else f"exit {code}"


def _name(number: int) -> str:
    """`SIGSEGV`; `signal 40` for one without a name."""
    for name in dir(signal):
        if name.startswith("SIG") and name[3] != "_" and getattr(signal, name) == number:
            return name
    return f"signal {number}"


def _start(command: list[str], environ: dict[str, str], output: int) -> int:
    """Start a program in a process group of its own; its pid. Raises `OSError`."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    try:
        return os.posix_spawn(
            _find(command[0], environ),
            command,
            environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nowhere, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD],
        )
    finally:
        os.close(nowhere)


def _find(name: str, environ: dict[str, str]) -> str:
    """Where this program is; as it stands where it is nowhere.

    As a shell has it, not as `find_executable`: an empty part of PATH is the current folder.
    """
    if "/" in name:
        return name
    for folder in environ.get("PATH", os.defpath).split(":"):
        path = f"{folder or '.'}/{name}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return "/bin/sh" if name == "sh" else name


def _wait(pid: int, timeout: float | None) -> int | None:
    """The wait status, None when the time was up. Leaves the command as a zombie or running."""
    if timeout is None:
        return os.waitpid(pid, 0)[1]
    deadline = time.monotonic() + timeout
    pause = 0.001
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return None


def _end_group(pid: int, grace: float, *, is_told: bool = False) -> None:
    """End whatever the command left in its process group: TERM, after a while KILL.

    `is_told`: it has TERM already.
    """
    if not _signal(pid, 0 if is_told else signal.SIGTERM):
        return
    deadline = time.monotonic() + grace
    _reap(pid)
    while _signal(pid, 0) and _lives(pid):
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
        time.sleep(_LOOK)
        _reap(pid)


def _signal(group: int, number: int) -> bool:
    """Send a signal, 0 for none, to a process group; whether there was one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _lives(group: int) -> bool:
    """Whether a process of the group lives; one that only waits to be reaped does not."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[2]) == group and fields[0] not in (b"Z", b"X"):
                return True
    return False


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
