"""The builtin worker: runs its task's command and reports how it ended.

The command's output is this process's own output, byte for byte: what it prints
lands in the turn's file without passing through here.
"""

import os
import sys
import time

from perles.agents.builtin.client import CallFailed, Client
from perles.agents.builtin.light import loads, signal

TIMED_OUT = 124
STOPPED = 143
UNPREPARED = 126
GRACE = 5.0
"""Seconds between TERM and KILL for the command's processes."""
_LOOK = 0.01
_LARGEST = 128 * 1024
"""Bytes, with the NUL at its end, that Linux allows one argument or variable."""
_SCRIPT = 3
"""The descriptor from which the shell reads a script that is larger."""


class Stopped(BaseException):
    """The engine ends this turn."""


def run() -> int:
    """Work off the tasks of the prompt on stdin; the exit status."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    tasks, variables = _read(sys.stdin.buffer.read())
    client = Client.from_environment()
    try:
        if os.environ.get("PERLES_TURN_NUMBER") == "1":
            client.call("signal_ready")
        for task in tasks:
            code, summary = _carry_out(task, variables)
            client.call("report_implementation_complete", summary=summary, exit_code=code)
    except CallFailed as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        return STOPPED
    return 0


def _read(prompt: bytes) -> tuple[list[dict[str, object]], dict[str, dict[str, str]]]:
    """The task messages of a prompt, the last one of each key, in order, and variables by task."""
    found: dict[str, dict[str, object]] = {}
    variables: dict[str, dict[str, str]] = {}
    for line in prompt.splitlines():
        message = loads(line)
        if message["kind"] == "coordinator":
            task = loads(message["body"])
            found[task["task"]] = task
        elif message["kind"] == "variables":
            variables[message["task"]] = message["env"]
    return list(found.values()), variables


def _carry_out(task: dict[str, object], variables: dict[str, dict[str, str]]) -> tuple[int, str]:
    """Run one command to its end; its exit code and a sentence about it."""
    timeout = task["timeout"]
    own = variables.get(str(task["task"]), {})
    names = task.get("variables") or []
    missing = [name for name in names if name not in own] if isinstance(names, list) else []
    if missing:
        return UNPREPARED, f"cannot run it without its variables: {', '.join(missing)}"
    outputs = task["env"] if isinstance(task["env"], dict) else {}
    pid = _start(str(task["run"]), {**own, **outputs})
    try:
        status = _wait(pid, None if timeout is None else float(str(timeout)))
    except Stopped:
        _end_group(pid)
        raise
    _end_group(pid)
    if status is None:
        return TIMED_OUT, f"timed out after {float(str(timeout)):g}s"
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return 128 - code, f"killed by {_name(-code)}"
    if 128 < code < 160:  # what a shell makes of a command that a signal ended
        return code, f"exit {code}, as after {_name(code - 128)}"
    return code, f"exit {code}"


def _name(number: int) -> str:
    """`SIGSEGV`; `signal 40` for one without a name."""
    for name in dir(signal):
        if name.startswith("SIG") and name[3] != "_" and getattr(signal, name) == number:
            return name
    return f"signal {number}"


def _start(command: str, own: dict[str, str]) -> int:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERLES_MCP_")}
    large = {name: value for name, value in own.items() if _is_large(f"{name}={value}")}
    environ.update(own)
    for name in large:
        del environ[name]
    script = None
    if large or _is_large(command):
        script, command = _in_memory(command, large), f". /proc/self/fd/{_SCRIPT}"
    nowhere = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, 1, 2)]
    if script is not None:
        actions.append((os.POSIX_SPAWN_DUP2, script, _SCRIPT))
    try:
        return os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", command],
            environ,
            file_actions=actions,
            setpgroup=0,
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE],
        )
    finally:
        for fd in (nowhere, script):
            if fd is not None:
                os.close(fd)


def _is_large(text: str) -> bool:
    return len(os.fsencode(text)) >= _LARGEST


def _in_memory(command: str, variables: dict[str, str]) -> int:
    """A script too large for an argument, as a file without a name; its descriptor.

    Variables too large for an environment are set in it: the script has them, programs do not.
    """
    quoted = {name: value.replace("'", "'\"'\"'") for name, value in variables.items()}
    setting = "".join(f"{name}='{value}'; " for name, value in quoted.items())
    written = os.memfd_create("task")
    try:
        with open(written, "wb", closefd=False) as file:
            file.write(os.fsencode(f"exec {_SCRIPT}<&-; {setting}{command}\n"))
        if written > _SCRIPT:
            return written
        higher = os.dup(written)  # a number of its own, which the child's is not
        os.close(written)
    except BaseException:
        os.close(written)
        raise
    return higher


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


def _end_group(pid: int) -> None:
    """End whatever the command left in its process group: TERM, after a while KILL."""
    if not _signal(pid, signal.SIGTERM):
        return
    deadline = time.monotonic() + GRACE
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
