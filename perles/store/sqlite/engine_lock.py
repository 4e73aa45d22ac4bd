"""The lock that makes one engine per database.

It is an `flock` on `<database>.lock`: the kernel frees it when its holder dies,
however it dies. The file holds the holder's pid, for messages only.
"""

import os
import time
from pathlib import Path
from types import TracebackType

from perles.domain.errors import DatabaseError, EngineRunsError
from perles.domain.patterns import lazy_pattern
from perles.store import lock_file

_LOOKER_SECONDS = 1.0
_PID = lazy_pattern(r"[1-9][0-9]{0,9}")


def is_alive(pid: int | None) -> bool:
    """Whether a process with this pid exists."""
    if pid is None or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except OverflowError:
        return False
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class EngineLock:
    """The engine lock of the database at `path`. Free it with `release`, or use it as a context."""

    LOST = "the engine's lock file was deleted or replaced; it is made again"
    """What to tell where `keep` had to take the lock anew."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise `EngineRunsError` at once with the holder's pid.

        Raises `DatabaseError` where its file cannot be made or written.
        """
        self._fd = self._take()

    def _take(self) -> int:
        fd = self._open()
        if not self._lock(fd):
            os.close(fd)
            raise EngineRunsError(self.holder())
        if not self._is_ours(fd):  # its file was deleted while we took it: nobody else sees it
            os.close(fd)
            return self._take()
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(fd)
            raise DatabaseError(
                f"cannot lock {self.path}: {error.strerror}; free some space and try again"
            ) from error
        return fd

    def keep(self) -> bool:
        """See that the lock that we hold is the one that others find; whether it had to be made.

        Its file may have been deleted or replaced. Raises what `acquire` raises.
        """
        held = self._fd
        assert held is not None, "only a holder keeps"
        if self._is_ours(held):
            return False
        self._fd = self._take()
        os.close(held)
        return True

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseError(
                f"cannot lock {self.path}: {error.strerror}; check that you may write its folder"
            ) from error

    def _is_ours(self, fd: int) -> bool:
        """Whether the file of this name is the open one."""
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(fd)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _lock(self, fd: int) -> bool:
        """Lock `fd`, outwaiting readers (`is_held`): they hold it for an instant."""
        deadline = time.monotonic() + _LOOKER_SECONDS
        while True:
            if lock_file.try_lock(fd):
                return True
            if is_alive(self.holder()) or time.monotonic() > deadline:
                return False
            time.sleep(0.005)

    def release(self) -> None:
        """Free the lock; nothing happens when it is not held."""
        if self._fd is not None:
            lock_file.release(self._fd)
            self._fd = None

    def is_held(self) -> bool:
        """Whether some process, this one or another, holds the lock now."""
        if self._fd is not None:
            return True
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return lock_file.is_locked(fd)
        finally:
            os.close(fd)

    def holder(self) -> int | None:
        """The pid that the holder wrote, if there is one to read; anybody may have written it."""
        try:
            with self.path.open("rb") as file:
                said = file.read(16).decode("ascii").strip()
        except (FileNotFoundError, ValueError):
            return None
        return int(said) if _PID.fullmatch(said) else None

    def __enter__(self) -> "EngineLock":
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
