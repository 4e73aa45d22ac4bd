"""Noticing that another process committed, soon, and at no cost while nobody does.

`PRAGMA data_version` of a held connection tells it for certain. Between two such looks the
kernel tells of each write to the WAL file (inotify), which comes shortly before the commit can
be seen: so what is written wakes, and is then looked for every `POLL` seconds, later less often,
until nothing was written for `SETTLE`. Without inotify, or without a WAL file, it is looked for
all the time.
"""

from __future__ import annotations

import os
import select
import time
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from perles.store.sqlite.backend import data_version

if TYPE_CHECKING:
    from ctypes import CDLL
    from pathlib import Path
    from sqlite3 import Connection

POLL: Final = 0.025
"""Seconds between two looks while something is being written."""
SETTLE: Final = 2.0
"""Seconds after a write in which its commit shows: a disk may take its time to flush."""
QUIET: Final = 0.25
"""Seconds between two looks while nothing is, in case the kernel did not tell."""
_SOON: Final = 0.004
"""Seconds from a write to the first look for its commit."""
_SHORTEST_PAUSE: Final = 0.0005
"""Seconds between two looks for a commit that waits for its flush, at least."""
_PAUSE_SHARE: Final = 0.25
"""The pause as a share of the seconds since the write: a flush is noticed late by no more."""
_LONG_FLUSH: Final = 0.03
"""Seconds of a flush from which on `patience` is short enough."""
_IN_MODIFY: Final = 0x2
_MANY: Final = 64 * 1024


def _looks() -> tuple[float, ...]:
    """Seconds before each look for the commit of what was just written."""
    passed, pauses = 0.0, [0.0]
    while passed < _LONG_FLUSH:
        pauses.append(max(_SHORTEST_PAUSE, passed * _PAUSE_SHARE))
        passed += pauses[-1]
    return tuple(pauses)


class Watch:
    """Watches the database of one open connection. Close it before the connection.

    For `settle` seconds after a write `patience` is short, `poll` seconds at first; otherwise it
    is `quiet` seconds.
    """

    looks: ClassVar[tuple[float, ...]] = _looks()
    """Seconds before each look for the commit of what was just written."""

    def __init__(
        self,
        connection: Connection,
        path: Path,
        *,
        settle: float = SETTLE,
        quiet: float = QUIET,
        poll: float = POLL,
    ) -> None:
        self._connection = connection
        self._fd = _watch(f"{path}-wal")
        self._version: Any = None
        self._settle = settle
        self._quiet = quiet
        self._poll = poll
        self._heard_at = time.monotonic()

    @property
    def fd(self) -> int | None:
        """Readable when something was written; None where only looking tells."""
        return self._fd

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def hear(self) -> None:
        """Take in what the kernel told: `patience` is short from now on."""
        if self._fd is None:
            return
        try:
            os.read(self._fd, _MANY)
        except BlockingIOError:
            return  # nothing new
        self._heard_at = time.monotonic()

    def patience(self) -> float:
        """Seconds until the next look is due, unless `fd` is readable before."""
        if self._fd is None:
            return self._poll
        passed = time.monotonic() - self._heard_at
        # A commit that was not seen by now is on a slow disk: it will be late anyway.
        return self._quiet if passed >= self._settle else max(self._poll, passed)

    def _is_calm(self) -> bool:
        """Whether nothing was written lately, and the kernel would tell."""
        return self._fd is not None and time.monotonic() >= self._heard_at + self._settle

    def changed(self) -> bool:
        """Whether others committed since this was asked last. Raises the driver's errors."""
        calm = self._is_calm()
        if calm:
            self.hear()  # else it is looked often enough whatever the kernel tells
        version = data_version(self._connection)
        if version == self._version:
            return False
        self._version = version
        self._heard_at = time.monotonic()  # who commits will often commit again
        return True

    def wait(self) -> None:
        """Sleep until a look is worth while."""
        if self._fd is None:
            time.sleep(self.patience())
        elif self._is_calm():
            if is_readable(self._fd, seconds=self._quiet):
                time.sleep(_SOON)
        else:
            time.sleep(self._poll)  # commits that come without a pause are looked at together
            rest = max(0.0, self.patience() - self._poll)
            if is_readable(self._fd, seconds=rest):
                self.hear()


def is_readable(*fds: int, seconds: float) -> bool:
    """Whether one of these is readable, or becomes so within that time.

    They may have any number: `select` takes none from 1024 on, and an engine opens thousands.
    """
    polled = select.poll()
    for fd in fds:
        polled.register(fd, select.POLLIN)
    return bool(polled.poll(seconds * 1000))


@cache
def _libc() -> CDLL:
    from ctypes import CDLL  # what only writes watches nothing

    return CDLL(None)


def _watch(path: str) -> int | None:
    """An inotify descriptor that tells of writes to a file; None where there is none."""
    fd: int = _libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        return None  # the user has no more of them
    if _libc().inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY) < 0:
        os.close(fd)
        return None
    return fd
