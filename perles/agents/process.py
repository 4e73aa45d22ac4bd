"""Agent processes: started in a session of their own, known again, and ended for certain.

A process is known by its pid, its start time in clock ticks and the machine's
boot id: a pid that was used again has other ticks. Everything that it starts
carries the environment of its turn, so that strays are found too. A launcher
shell waits for the agent and leaves its exit status in a file: whoever asks
later, even another engine, can read how it ended. No pipe ties the two.
"""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from perles.agents.provider import Launch
from perles.domain.errors import PerlesError

# `trap :` lets the shell outlive a TERM to the group, so that it can tell how the agent ended.
# Where the file cannot be written (a full disk), its own exit status still tells its parent.
_LAUNCHER: Final = (
    'trap : TERM INT HUP; "$@"; code=$?; printf "exit %s\\n" "$code" > "$0"; exit $code'
)


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


def reap(pid: int) -> int | None:
    """Take the exit code of our own ended child (negative: signal); None where it is not ours."""
    try:
        _, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    code = os.waitstatus_to_exitcode(status)
    return _from_shell(code)


def left_status(status: Path) -> int | None:
    """The exit code that the launcher left, None when it could not."""
    try:
        text = status.read_text()
    except FileNotFoundError:
        return None
    if not (text.startswith("exit ") and text.endswith("\n")):
        return None
    return _from_shell(int(text[5:]))


def _from_shell(code: int) -> int:
    """The code as ours: a shell says 128 + N for signal N, we say -N."""
    return 128 - code if code > 128 else code


def family(markers: Iterable[str], sessions: Iterable[int] = ()) -> list[int]:
    """Live processes in one of the sessions, or with one of `NAME=value` in their environment."""
    wanted, leaders = [marker.encode() for marker in markers], set(sessions)
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        stat = _stat(int(entry))
        if stat is None or stat[0] in "ZX":
            continue
        if stat[1] in leaders or _has_marker(entry, wanted):
            found.append(int(entry))
    return found


class Marked(NamedTuple):
    """A live process that some turn started, by what its environment says."""

    pid: int
    workflow_id: str
    turn_id: int
    command: str


def marked() -> list[Marked]:
    """Every live process of this user that carries the mark of a turn."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = _stat(int(entry))
        if stat is None or stat[0] in "ZX":
            continue
        for variable in _environ(entry):
            workflow_id, _, turn = variable.removeprefix(b"PERLES_TURN=").partition(b"/")
            if variable.startswith(b"PERLES_TURN=") and turn.isdigit():
                name = workflow_id.decode(errors="replace")
                found.append(Marked(int(entry), name, int(turn), _command(entry)))
    return found


def _environ(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return []  # ended meanwhile, or another user's: not one of ours


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "?"  # ended meanwhile


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _has_marker(pid: str, wanted: list[bytes]) -> bool:
    environ = _environ(pid)
    return any(marker in environ for marker in wanted)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State letter, session id and start ticks of a process, None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold anything
    return fields[0], int(fields[3]), int(fields[19])


def _write_private(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
