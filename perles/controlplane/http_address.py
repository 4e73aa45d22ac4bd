"""Where HTTP is served for one home folder: a file that its server holds locked while it lives."""

import os
from pathlib import Path
from typing import Final

from perles.store import lock_file

NAME: Final = "http.url"
_LONGEST: Final = 300


class Announcement:
    """What the server of a home folder tells others; one at a time can."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME
        self._fd: int | None = None

    def take(self) -> bool:
        """Whether nobody else serves this home now: then we do."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if not lock_file.lock(fd):
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        self._fd = fd
        return True

    def tell(self, url: str) -> None:
        """It is served there from now on."""
        assert self._fd is not None, "take it first"
        os.pwrite(self._fd, url.encode(), 0)

    def withdraw(self) -> None:
        """It is served no more."""
        if self._fd is not None:
            lock_file.release(self._fd)
            self._fd = None


def served_at(home: Path) -> str | None:
    """The URL at which HTTP is served for a home folder now; None where it is not."""
    try:
        fd = os.open(home / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if not lock_file.is_locked(fd):
            return None
        return os.pread(fd, _LONGEST, 0).decode(errors="replace") or None
    finally:
        os.close(fd)
