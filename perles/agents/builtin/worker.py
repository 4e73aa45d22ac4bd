"""The builtin worker: runs its task's command and reports how it ended.

The command's output is this process's own output, byte for byte: what it prints
lands in the turn's file without passing through here.
"""

import os
import sys
import time

from perles.agents.builtin.client import CallFailed, Client
from perles.agents.builtin.light import loads, signal
from perles.agents.builtin.memory import oom_kills

TYPE_CHECKING = False  # `typing` costs more than all else here; type checkers know the name
if TYPE_CHECKING:
    from perles.agents.builtin.client import Json

TIMED_OUT = 124
STOPPED = 143
UNPREPARED = 126
NOT_FOUND = 127
GRACE = 5.0
"""Seconds between TERM and KILL for the command's processes."""
_LOOK = 0.01
_LARGEST = 128 * 1024
"""Bytes, with the NUL at its end, that Linux allows one argument or variable."""
_RUN_FILE = """\
import sys
sys.argv = sys.argv[1:]
__file__ = sys.argv[0]
with open(__file__, "rb") as file:
    code = compile(file.read(), __file__, "exec")
del file
exec(code)
"""
"""Has Python run a file, and find modules in the work dir, not beside the file."""


class Stopped(BaseException):
    """The engine ends this turn."""


def run() -> int:
    """Work off the task of the prompt on stdin; the exit status."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    task, given = _read(sys.stdin.buffer.read())
    client = Client.from_environment()
    try:
        if os.environ.get("PERLES_TURN_NUMBER") == "1":
            client.call("signal_ready")
        if task is not None:
            code, summary = _carry_out(task, given)
            client.call("report_implementation_complete", summary=summary, exit_code=code)
    except CallFailed as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        return STOPPED
    return 0


def _read(prompt: bytes) -> "tuple[Json | None, Json]":
    """The last message that gives the task in hand, and what the engine adds to it.

    One that gives another task is of the past: that was taken back before it was read.
    """
    task, given = None, {}
    for line in prompt.splitlines():
        message = loads(line)
        if message["kind"] == "variables":
            given = message
        elif message["kind"] == "coordinator":
            found = loads(message["body"])
            if found["task"] == given.get("task"):
                task = found
    return task, given


def _carry_out(task: "Json", given: "Json") -> tuple[int, str]:
    """Run one command to its end; its exit code and a sentence about it."""
    if given.get("problem"):
        return UNPREPARED, given["problem"]
    timeout, own = task["timeout"], dict(given["env"])
    for name in given["set"]:
        del own[name]  # the script sets it
    missing = [name for name in task["variables"] if name not in given["env"]]
    if missing:
        return UNPREPARED, f"cannot run it without its variables: {', '.join(missing)}"
    large = [name for name in own if len(os.fsencode(f"{name}={own[name]}")) >= _LARGEST]
    if large:
        return UNPREPARED, f"cannot run it: {large[0]} is over 128 KiB, which only sh and bash take"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERLES_MCP_")}
    for name in task.get("unset") or ():
        environ.pop(name, None)
    environ.update({**own, **task["env"]})
    shell, before = task.get("shell") or ["sh"], oom_kills()
    try:
        if given.get("dir"):
            os.chdir(given["dir"])
            environ["PWD"] = given["dir"]
        pid = _start([*shell, given["script"]], environ)
    except OSError as error:
        what = error.filename if error.filename == given.get("dir") else f"by {shell[0]}"
        return NOT_FOUND, f"cannot run it {what}: {error.strerror}"
    try:
        status = _wait(pid, None if timeout is None else float(timeout))
    except Stopped:
        _end_group(pid, GRACE)
        raise
    _end_group(pid, GRACE if task.get("grace") is None else float(task["grace"]))
    if status is None:
        return TIMED_OUT, f"timed out after {float(timeout):g}s"
    kills = oom_kills()
    is_short = kills is not None and before is not None and kills > before
    return _told(os.waitstatus_to_exitcode(status), is_short=is_short)


def _told(code: int, *, is_short: bool) -> tuple[int, str]:
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


def _start(command: list[str], environ: dict[str, str]) -> int:
    """Start a program in a process group of its own; its pid. Raises `OSError`."""
    if command[0] == "python":
        names = ["python3", "python"]
        command = [command[0], "-u", "-c", _RUN_FILE, *command[1:]]
    else:
        names = [command[0]]
    nowhere = os.open(os.devnull, os.O_RDONLY)
    try:
        return os.posix_spawn(
            _find(names, environ),
            command,
            environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, 1, 2)],
            setpgroup=0,
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE],
        )
    finally:
        os.close(nowhere)


def _find(names: list[str], environ: dict[str, str]) -> str:
    """Where the first of these programs is that is there; as it stands where none is."""
    for name in names:
        if "/" in name:
            return name
        for folder in environ.get("PATH", os.defpath).split(":"):
            path = f"{folder or '.'}/{name}"
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
    return "/bin/sh" if names[0] == "sh" else names[0]


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


def _end_group(pid: int, grace: float) -> None:
    """End whatever the command left in its process group: TERM, after a while KILL."""
    if not _signal(pid, signal.SIGTERM):
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


def _stop(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped
