"""Files on their way, in pieces: each piece may come twice, and one that is cut is begun anew."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.workspace import door
from perles.workspace.replica.snapshot import DiskFullError, ReplicaError

PIECE: Final = 512 * 1024
MAX_PIECE: Final = 1024 * 1024
SPARE: Final = 16 * 1024 * 1024
"""Bytes that stay free on the disk."""
_NAME: Final = lazy_pattern(r"[0-9a-f]{16,64}")


class Parcel(NamedTuple):
    """A file that is to be moved: a name by its content, its length and its digest."""

    name: str
    size: int
    sha256: str


class Parcels:
    """The parcels in one folder, which is private to us."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where a parcel lies. Raises `ReplicaError` for what is no name of one."""
        if not _NAME.fullmatch(name):
            raise ReplicaError(f"there is no parcel {name[:40]!r}")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / name

    @contextmanager
    def making(self) -> Iterator[Path]:
        """A folder in which a file can be made that becomes a parcel."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="making-", dir=self._folder) as scratch:
            yield Path(scratch)

    def sealed(self, file: Path) -> Parcel:
        """Take a file that is whole as a parcel."""
        digest = hashlib.sha256()
        with door.reading(file) as source:
            while piece := source.read(MAX_PIECE):
                digest.update(piece)
        name = digest.hexdigest()
        size = file.stat().st_size
        file.replace(self.path(name))
        return Parcel(name, size, name)

    def put(self, parcel: Parcel, offset: int, piece: bytes) -> int:
        """Write a piece; from where the next one is expected.

        Raises `ReplicaError` where the disk is full, or a piece is missing before it.
        """
        path = self.path(parcel.name)
        _need_room(self._folder, parcel.size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            here = os.fstat(descriptor).st_size
            if offset > here:
                return here
            _write(descriptor, piece, offset, path)
            return max(here, offset + len(piece))
        finally:
            os.close(descriptor)

    def whole(self, parcel: Parcel) -> Path:
        """The file, once all of it is here. Raises `ReplicaError`; what is damaged is removed."""
        path = self.path(parcel.name)
        digest, size = hashlib.sha256(), 0
        try:
            with door.reading(path) as file:
                while piece := file.read(MAX_PIECE):
                    digest.update(piece)
                    size += len(piece)
        except FileNotFoundError:
            raise ReplicaError("nothing of the bundle has come") from None
        if size < parcel.size:
            raise ReplicaError(f"the bundle is cut: {size} of {parcel.size} bytes are here")
        if size != parcel.size or digest.hexdigest() != parcel.sha256:
            self.drop(parcel.name)
            raise ReplicaError("the bundle is damaged; it is fetched anew")
        return path

    def take(self, name: str, offset: int, most: int = PIECE) -> bytes:
        """Read a piece, b"" at the end. Raises `ReplicaError` where there is no such parcel."""
        try:
            with door.reading(self.path(name)) as file:
                file.seek(offset)
                return file.read(min(most, MAX_PIECE))
        except FileNotFoundError:
            raise ReplicaError("the bundle is not here any more; it is made anew") from None

    def size(self, name: str) -> int:
        """How many bytes of a parcel are here."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return 0

    def drop(self, name: str) -> None:
        """Remove a parcel; nothing happens where there is none."""
        self.path(name).unlink(missing_ok=True)


def _need_room(folder: Path, size: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size + SPARE:
        raise DiskFullError(f"the disk of {folder} is full: {free} bytes are free, {size} to come")


def _write(descriptor: int, piece: bytes, offset: int, path: Path) -> None:
    view = memoryview(piece)
    try:
        while view:
            done = os.pwrite(descriptor, view, offset)
            view, offset = view[done:], offset + done
    except OSError as error:
        raise ReplicaError(f"cannot write {path}: {error.strerror}") from error
