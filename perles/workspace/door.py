"""The one door to every file that an agent can reach.

An agent may put anything in the place of a file: a pipe that nobody writes to, a link to
/dev/zero or to somebody's key, a folder, a socket. So whatever is opened here is opened without
waiting and without following a link, and looked at by its descriptor before it is read: it must
be a regular file of ours with one name. What is written is a new file; lines alone are added to
one that is there, looked at in the same way.
"""

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_SMALL: Final = 64 * 1024
"""Bytes of a file that is read as a whole: a token, an exit status."""
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ReplacedError(OSError):
    """Something else stands where a file of ours was."""

    def __init__(self, path: str | Path, what: str) -> None:
        super().__init__(errno.EINVAL, f"it was replaced: {what} stands there", str(path))


def open_to_read(path: str | Path, *, foreign: bool = False, below: int | None = None) -> int:
    """A descriptor of a regular file. Raises `ReplacedError`, and `OSError` where there is none.

    A `foreign` one is a person's own, a configuration in the work dir: it may be a link, and
    belong to anybody. A relative path begins in the folder whose descriptor is `below`.
    """
    return _opened(path, below, foreign=foreign, follows=foreign)


def _opened(path: str | Path, below: int | None, *, foreign: bool, follows: bool) -> int:
    try:
        fd = os.open(path, _READ if follows else _READ | os.O_NOFOLLOW, dir_fd=below)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            kind = "a link" if error.errno == errno.ELOOP else "a socket"
            raise ReplacedError(path, kind) from error
        raise
    what = _wrong_with(os.fstat(fd), foreign=foreign)
    if what is None:
        return fd
    os.close(fd)
    raise ReplacedError(path, what)


def open_below(folder: Path, relative: Path, *, foreign: bool = False) -> int:
    """A descriptor of a regular file below a folder, to which no link leads from there on.

    A `foreign` one may have other names, and belong to anybody. Raises as `open_to_read`, and
    `OSError` where a link stands in the place of a folder.
    """
    at = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for name in relative.parts[:-1]:
            below = os.open(name, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return _opened(relative.name, at, foreign=foreign, follows=False)
    finally:
        os.close(at)


@contextmanager
def reading(path: str | Path, *, foreign: bool = False) -> "Iterator[IO[bytes]]":
    """The file, opened by `open_to_read`."""
    with os.fdopen(open_to_read(path, foreign=foreign), "rb") as file:
        yield file


def read_small(path: str | Path, limit: int = MAX_SMALL, *, foreign: bool = False) -> bytes:
    """The first `limit` bytes of a file. Raises as `open_to_read`."""
    with reading(path, foreign=foreign) as file:
        return file.read(limit)


def size_of(path: str | Path) -> int:
    """The size of a file of ours in bytes; 0 where there is none. Nothing is opened."""
    found = look_at(path)
    return 0 if found is None else found.st_size


def look_at(path: str | Path) -> os.stat_result | None:
    """What is known of a file of ours without opening it; None where something else stands."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if _wrong_with(found, foreign=False) is None else None


def create(path: Path, *, append: bool = False) -> int:
    """A descriptor of a new, private file, in the place of whatever stood there.

    Its folder must be no link. Raises `OSError`.
    """
    folder = os.open(path.parent, _FOLDER)
    try:
        _clear(path.name, folder)
        flags = _NEW | os.O_APPEND if append else _NEW
        return os.open(path.name, flags, 0o600, dir_fd=folder)
    finally:
        os.close(folder)


def write(path: Path, content: bytes) -> None:
    """Write a private file, as `create` makes it. Raises `OSError`."""
    with os.fdopen(create(path), "wb") as file:
        file.write(content)


def append(path: Path, content: bytes, *, at: int | None = None) -> int:
    """Add to a file of ours, in one write; its size then.

    Nothing is added where the file does not have the size `at`, if that is given. Its folder must
    be no link. Raises as `open_to_read`, `FileNotFoundError` where there is none.
    """
    folder = os.open(path.parent, _FOLDER)
    try:
        fd = os.open(path.name, _APPEND, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise ReplacedError(path, "something else") from error
        raise
    finally:
        os.close(folder)
    try:
        found = os.fstat(fd)
        what = _wrong_with(found, foreign=False)
        if what is not None:
            raise ReplacedError(path, what)
        if at is not None and found.st_size != at:
            return found.st_size
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def renew(folder: Path, files: "Mapping[str, bytes]", *, without: str) -> None:
    """Write private files into a folder, as `write` does, and see that none is named `without`.

    Raises `OSError`.
    """
    below = os.open(folder, _FOLDER)
    try:
        _clear(without, below)
        for name, content in files.items():
            _clear(name, below)
            with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=below), "wb") as file:
                file.write(content)
    finally:
        os.close(below)


@contextmanager
def replacing(path: Path) -> "Iterator[IO[bytes]]":
    """A new private file, which takes the place of whatever stands at `path` once it is whole.

    Its folder must be no link. Raises `OSError`; then what stood there stands there still.
    """
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(create(new), "wb") as file:
        yield file
    folder = os.open(path.parent, _FOLDER)
    try:
        if (found := _look_below(folder, path.name)) is not None and stat.S_ISDIR(found.st_mode):
            _clear(path.name, folder)
        os.rename(new.name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _look_below(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None


def clear(path: Path) -> None:
    """See that nothing stands at `path`, whose folder must be no link. Raises `OSError`."""
    folder = os.open(path.parent, _FOLDER)
    try:
        _clear(path.name, folder)
    finally:
        os.close(folder)


def _clear(name: str, folder: int) -> None:
    found = _look_below(folder, name)
    if found is None:
        return
    if stat.S_ISDIR(found.st_mode):
        # It may hold anything, of any depth: out of the way is enough.
        os.rename(name, f"{name}.moved-{found.st_ino}", src_dir_fd=folder, dst_dir_fd=folder)
        return
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _wrong_with(found: os.stat_result, *, foreign: bool) -> str | None:
    """Why this is no file to read; None where it is one."""
    if not stat.S_ISREG(found.st_mode):
        return _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
    if foreign:
        return None
    if os.geteuid() not in (found.st_uid, 0):
        return "another user's file"
    return "a file that has another name, too" if found.st_nlink > 1 else None


_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link",
    stat.S_IFCHR: "a device",
}
