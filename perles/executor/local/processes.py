"""What belongs together: a process, its session, and all that carry its turn's mark.

Everything that an agent starts has the environment of its turn, so that strays are found, too, and
a mark that stays where the environment was wiped (`watermark`).
"""

import os
import signal
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from perles.executor.contract import Identity
from perles.executor.local import watermark
from perles.executor.local.identity import boot_id, hold, identify, look, read_proc

MAX_DIGITS: Final = 19
"""An id of a turn has fewer: it is an integer of SQLite."""


def family(markers: Iterable[str], sessions: Iterable[int] = (), *, since: int = 0) -> list[int]:
    """Live processes in one of the sessions, or with one of `NAME=value` in their environment.

    What was started before the tick `since` cannot be one of them, and is not looked at.
    """
    return [identity.pid for identity in members(markers, sessions, since)]


def carries(identity: Identity, marker: str) -> bool:
    """Whether the process has `NAME=value` in its environment, or the mark of that."""
    pid = identity.pid
    if watermark.carries(pid, watermark.wanted([marker])):
        return True
    return _has_marker(str(pid), [b"\0" + marker.encode() + b"\0"])


def signal_family(
    number: signal.Signals,
    markers: Iterable[str],
    sessions: Iterable[int] = (),
    *,
    since: int = 0,
    but: Collection[int] = (),
) -> int:
    """Send a signal to each process of a family, `but` some; how many there were.

    Each is held, and known again, right before, so that no other one with its pid is hit.
    """
    found = members(markers, sessions, since)
    if but:
        found = [identity for identity in found if identity.pid not in but]
    for identity in found:
        fd = hold(identity)
        if fd is None:
            continue
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            continue  # it ended at this moment
        finally:
            os.close(fd)
    return len(found)


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
    for pid, value in with_variable("PERLES_TURN"):
        workflow_id, _, turn = value.partition(b"/")
        # Anybody may put anything into the environment of a process.
        if turn.isdigit() and len(turn) < MAX_DIGITS:
            found.append(
                Marked(pid, workflow_id.decode(errors="replace"), int(turn), _command(pid))
            )
    return found


def with_variable(name: str) -> Iterator[tuple[int, bytes]]:
    """The live processes of this user that have a variable, each with what that holds."""
    start = f"{name}=".encode()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and identify(int(entry)) is not None:
            for variable in environ_of(entry):
                if variable.startswith(start):
                    yield int(entry), variable.removeprefix(start)


def environ_of(pid: int | str) -> list[bytes]:
    """The environment of a process, as `NAME=value`; nothing where it may not be read."""
    return _environ(pid).split(b"\0")


def _environ(pid: int | str) -> bytes:
    try:
        return read_proc(f"/proc/{pid}/environ")
    except OSError:
        return b""  # ended meanwhile, or another user's: not one of ours


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "?"  # ended meanwhile


def members(markers: Iterable[str], sessions: Iterable[int] = (), since: int = 0) -> list[Identity]:
    """`family`, each with its identity."""
    # A workflow's end looks at every process of the machine, so what one look costs counts.
    markers = list(markers)
    wanted = [b"\0" + marker.encode() + b"\0" for marker in markers]
    marks = watermark.wanted(markers)
    leaders, own = set(sessions), str(os.getpid())
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or entry == own:
            continue
        stat = look(int(entry))
        if stat is None or stat[0] in "ZX" or stat[2] < since:
            continue
        if stat[1] in leaders or watermark.carries(int(entry), marks) or _has_marker(entry, wanted):
            found.append(Identity(int(entry), stat[2], boot_id()))
    return found


def _has_marker(pid: str, wanted: list[bytes]) -> bool:
    environ = b"\0" + _environ(pid) + b"\0"
    return any(marker in environ for marker in wanted)
