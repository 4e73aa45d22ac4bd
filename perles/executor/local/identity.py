"""Which process: known by its pid, its start time in clock ticks and the machine's boot id.

A pid that was used again has other ticks.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

from perles.domain.clock import since_boot
from perles.executor.contract import Identity

_PROC_PIECE: Final = 65_536


@cache
def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """The identity of a live process, None when there is none (a zombie is none)."""
    found = look(pid)
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
    found = look(identity.pid)
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
    return max(0.0, since_boot() - identity.start_ticks / ticks)


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the state on, at least twenty; None when there is none."""
    try:
        text = read_proc(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before it may hold anything.
    _, end, fields = text.rpartition(b") ")
    return fields.split(None, 20) if end else None


def look(pid: int) -> tuple[str, int, int] | None:
    """State letter, session id and start ticks of a process, None when there is none."""
    fields = stat_fields(pid)
    if fields is None:
        return None
    return chr(fields[0][0]), int(fields[3]), int(fields[19])


def read_proc(path: str) -> bytes:
    """A file of /proc, all of it: such files tell no size."""
    fd = os.open(path, os.O_RDONLY)
    try:
        pieces = [os.read(fd, _PROC_PIECE)]
        while pieces[-1]:
            pieces.append(os.read(fd, _PROC_PIECE))
    finally:
        os.close(fd)
    return b"".join(pieces)
