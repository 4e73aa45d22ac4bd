"""Agent processes: started in a session of their own, known again, and ended for certain.

A process is known by its pid, its start time in clock ticks and the machine's
boot id: a pid that was used again has other ticks. Everything that it starts
carries the environment of its turn, so that strays are found too. A launcher
shell waits for the agent and leaves its exit status in a file: whoever asks
later, even another engine, can read how it ended. No pipe ties the two.
"""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from perles.agents.provider import Launch
from perles.domain.errors import PerlesError

# `trap :` lets the shell outlive a TERM to the group, so that it can tell how the agent ended.
# The status is whole when its line has its end: one write, and no process more to move it there.
# Where it cannot be written (a full disk, a folder that was deleted), the launcher's own exit
# status still tells its parent.
# An agent gets the number of open files that the engine was given, not the one it took.
_OPEN_FILES: Final = resource.getrlimit(resource.RLIMIT_NOFILE)
_PROC_PIECE: Final = 65_536
_ENOUGH_FILES: Final = 65_536
_SOFT: Final = "unlimited" if _OPEN_FILES[0] == resource.RLIM_INFINITY else _OPEN_FILES[0]
_LAUNCHER: Final = (
    f"ulimit -S -n {_SOFT}; "
    "trap : TERM INT HUP; "
    '"$@"; '
    "code=$?; trap '' TERM INT HUP; "
    '{ printf "exit %s\\n" "$code" > "$0"; } 2>/dev/null; '
    "exit $code"
)


def take_open_files() -> None:
    """Let this process open many files, as far as it may: it needs two or three a live turn."""
    hard = _OPEN_FILES[1]
    most = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, _OPEN_FILES[0]), hard))


class SpawnError(PerlesError):
    """An agent's process could not be started."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process: enough to never mistake another one for it."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class TurnFiles:
    """Where one turn's process reads and writes."""

    stdin: Path
    stdout: Path
    stderr: Path
    status: Path

    @classmethod
    def at(cls, stdout: Path) -> "TurnFiles":
        """The files of the turn whose output is at `stdout`: they lie beside it."""
        stem = stdout.with_suffix("")
        return cls(*(stem.with_suffix(end) for end in (".in", ".out", ".err", ".status")))


@cache
def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """The identity of a live process, None when there is none (a zombie is none)."""
    found = _stat(pid)
    if found is None or found[0] in "ZX":
        return None
    return Identity(pid, found[2], boot_id())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still lives."""
    return identity.boot_id == boot_id() and identify(identity.pid) == identity


def is_known(identity: Identity) -> bool:
    """Whether its pid is still its own: it lives, or waits for its parent to take its status.

    As long as that holds, a session of this number is this process's own, too.
    """
    if identity.boot_id != boot_id():
        return False
    found = _stat(identity.pid)
    return found is not None and found[2] == identity.start_ticks


def hold(identity: Identity) -> int | None:
    """A pidfd of exactly this process, readable when it has ended; None where it is gone."""
    try:
        fd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    if is_known(identity):
        return fd
    os.close(fd)
    return None


def release(held: int) -> None:
    """Let go of what `hold` gave."""
    os.close(held)


def age(identity: Identity) -> float:
    """Seconds since this process of this boot was started, whatever the clock was set to since."""
    ticks = os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - identity.start_ticks / ticks)


def spawn(launch: Launch, *, cwd: Path, env: Mapping[str, str], files: TurnFiles) -> Identity:
    """Start `launch` in a session of its own; its identity. Raises `SpawnError`.

    The identity is the launcher's, which ends right after the agent.
    """
    _write_private(files.stdin, launch.stdin)
    for name, content in launch.files.items():
        _write_private(files.stdout.parent / name, content)
    try:
        with (
            files.stdin.open("rb") as stdin,
            open(_append(files.stdout), "ab") as stdout,
            open(_append(files.stderr), "ab") as stderr,
        ):
            child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCHER, str(files.status), *launch.argv],
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
    child.returncode = 0  # reaped by `reap`, not by Popen: nobody keeps this object
    found = _stat(child.pid)
    return Identity(child.pid, found[2] if found else 0, boot_id())


class Reaped(NamedTuple):
    """How the launcher ended: with the agent's exit code, or killed, with a code of its own."""

    code: int
    is_agents: bool


def reap(pid: int) -> Reaped | None:
    """Take the status of the launcher, our own ended child; None where it is not ours."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if ended == 0:
        return None
    return Reaped(_from_shell(os.waitstatus_to_exitcode(status)), not os.WIFSIGNALED(status))


def left_status(status: Path) -> int | None:
    """The exit code that the launcher left, None when it could not."""
    try:
        text = status.read_text()
    except (OSError, UnicodeDecodeError):
        return None  # it was not written, or somebody put something else in its place
    if not (text.startswith("exit ") and text.endswith("\n") and text[5:-1].isdecimal()):
        return None  # nothing yet, or a part
    return _from_shell(int(text[5:]))


def _from_shell(code: int) -> int:
    """The code as ours: a shell says 128 + N for signal N, we say -N."""
    return 128 - code if code > 128 else code


def family(markers: Iterable[str], sessions: Iterable[int] = (), *, since: int = 0) -> list[int]:
    """Live processes in one of the sessions, or with one of `NAME=value` in their environment.

    What was started before the tick `since` cannot be one of them, and is not looked at.
    """
    return [identity.pid for identity in _members(markers, sessions, since)]


def carries(identity: Identity, marker: str) -> bool:
    """Whether the process has `NAME=value` in its environment."""
    return _has_marker(str(identity.pid), [b"\0" + marker.encode() + b"\0"])


def find_launcher(marker: str, files: TurnFiles) -> Identity | None:
    """The launcher of the turn with this marker and these files, if it lives."""
    for identity in _members([marker], [], 0):
        try:
            with Path(f"/proc/{identity.pid}/cmdline").open("rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if words[1:2] == [b"-c"] and words[3:4] == [os.fsencode(files.status)]:
            return identity
    return None


def signal_family(
    number: signal.Signals,
    markers: Iterable[str],
    sessions: Iterable[int] = (),
    *,
    since: int = 0,
) -> int:
    """Send a signal to each process of a family; how many there were.

    Each is held, and known again, right before, so that no other one with its pid is hit.
    """
    members = _members(markers, sessions, since)
    for identity in members:
        fd = hold(identity)
        if fd is None:
            continue
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            continue  # it ended at this moment
        finally:
            os.close(fd)
    return len(members)


class Marked(NamedTuple):
    """A live process that some turn started, by what its environment says."""

    pid: int
    workflow_id: str
    turn_id: int
    command: str

    @property
    def marker(self) -> str:
        """What its environment says."""
        return f"PERLES_TURN={self.workflow_id}/{self.turn_id}"


def marked() -> list[Marked]:
    """Every live process of this user that carries the mark of a turn."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = _stat(int(entry))
        if stat is None or stat[0] in "ZX":
            continue
        for variable in environ_of(entry):
            workflow_id, _, turn = variable.removeprefix(b"PERLES_TURN=").partition(b"/")
            if variable.startswith(b"PERLES_TURN=") and turn.isdigit():
                name = workflow_id.decode(errors="replace")
                found.append(Marked(int(entry), name, int(turn), _command(entry)))
    return found


def environ_of(pid: int | str) -> list[bytes]:
    """The environment of a process, as `NAME=value`; nothing where it may not be read."""
    return _environ(pid).split(b"\0")


def _environ(pid: int | str) -> bytes:
    try:
        return _read_proc(f"/proc/{pid}/environ")
    except OSError:
        return b""  # ended meanwhile, or another user's: not one of ours


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "?"  # ended meanwhile


def _members(markers: Iterable[str], sessions: Iterable[int], since: int) -> list[Identity]:
    # A workflow's end looks at every process of the machine, so what one look costs counts.
    wanted = [b"\0" + marker.encode() + b"\0" for marker in markers]
    leaders, own = set(sessions), str(os.getpid())
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or entry == own:
            continue
        stat = _stat(int(entry))
        if stat is None or stat[0] in "ZX" or stat[2] < since:
            continue
        if stat[1] in leaders or _has_marker(entry, wanted):
            found.append(Identity(int(entry), stat[2], boot_id()))
    return found


def _has_marker(pid: str, wanted: list[bytes]) -> bool:
    environ = b"\0" + _environ(pid) + b"\0"
    return any(marker in environ for marker in wanted)


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the state on, at least twenty; None when there is none."""
    try:
        text = _read_proc(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before it may hold anything.
    return text[text.rindex(b")") + 2 :].split(None, 20)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State letter, session id and start ticks of a process, None when there is none."""
    fields = stat_fields(pid)
    if fields is None:
        return None
    return chr(fields[0][0]), int(fields[3]), int(fields[19])


def _read_proc(path: str) -> bytes:
    """A file of /proc, all of it: such files tell no size."""
    fd = os.open(path, os.O_RDONLY)
    try:
        pieces = [os.read(fd, _PROC_PIECE)]
        while pieces[-1]:
            pieces.append(os.read(fd, _PROC_PIECE))
    finally:
        os.close(fd)
    return b"".join(pieces)


def _write_private(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
