"""Files that a process holds locked while it lives: the kernel frees them, however it dies."""

import fcntl
import os
import time

_LOOKER_SECONDS = 1.0
_PAUSE = 0.005


def try_lock(fd: int) -> bool:
    """Lock an open file; False where another process holds it, or looks at it (`is_locked`)."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(fd: int) -> bool:
    """Lock an open file, outwaiting lookers (`is_locked`); False where somebody holds it."""
    deadline = time.monotonic() + _LOOKER_SECONDS
    while not try_lock(fd):
        if is_locked(fd) or time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def is_locked(fd: int) -> bool:
    """Whether a process holds an open file locked. Two that look do not meet each other."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def release(fd: int) -> None:
    """Empty and close a file that we hold: what it told holds no more."""
    os.ftruncate(fd, 0)
    os.close(fd)
