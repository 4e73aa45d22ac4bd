"""Files that git ignores but a task names as its own: they travel beside the commits."""

import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from perles.workspace import door
from perles.workspace.git import need
from perles.workspace.patterns import TooManyError, matching
from perles.workspace.replica.snapshot import ReplicaError

MAX_FILES: Final = 1000
_PIECE: Final = 1024 * 1024


def pack(folder: Path, patterns: Sequence[str], into: Path, most: int) -> bool:
    """Write the ignored files that fit into an archive; False where there are none.

    Links are left out. Raises `GitError`, `OSError`.
    """
    paths = _ignored(folder, patterns)
    left = most
    with door.replacing(into) as target, tarfile.open(fileobj=target, mode="w") as archive:
        for path in paths:
            source = door.open_below(folder, Path(path), foreign=True)
            with os.fdopen(source, "rb") as file:
                found = os.fstat(file.fileno())
                left -= found.st_size
                if left < 0:
                    raise ReplicaError(f"the files that fit are over {most} bytes")
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = found.st_size, found.st_mode & 0o777
                archive.addfile(entry, file)
    return bool(paths)


def unpack(archive: Path, folder: Path, most: int) -> list[str]:
    """Write the files of an archive into the folder, whose links are not followed; their paths.

    Raises `ReplicaError` for what is no such archive, `OSError`.
    """
    written: list[str] = []
    left = most
    try:
        with door.reading(archive) as source, tarfile.open(fileobj=source, mode="r:") as entries:
            for entry in entries:
                left -= entry.size
                if not entry.isreg() or left < 0 or len(written) >= MAX_FILES:
                    raise ReplicaError("the files of the node are not as they were asked for")
                content = entries.extractfile(entry)
                assert content is not None
                target = _place(folder, entry.name)
                with door.replacing(target) as copy:
                    while piece := content.read(_PIECE):
                        copy.write(piece)
                    os.fchmod(copy.fileno(), 0o755 if entry.mode & 0o100 else 0o644)
                written.append(entry.name)
    except tarfile.TarError as error:
        raise ReplicaError(f"the files of the node cannot be read: {error}") from error
    return written


def _ignored(folder: Path, patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return []
    how = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", ":/")
    ignored = set(need(folder, *how).split("\0"))
    found: dict[str, None] = {}
    try:
        for pattern in patterns:
            fits = (one.path for one in matching(folder, pattern) if not one.is_link)
            found |= dict.fromkeys(path for path in fits if path in ignored)
    except TooManyError as error:
        raise ReplicaError(str(error)) from error
    if len(found) > MAX_FILES:
        raise ReplicaError(f"more than {MAX_FILES} files fit")
    return list(found)


def _place(folder: Path, name: str) -> Path:
    """Where a file goes; folders on the way are made. Raises `ReplicaError` for a way out."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or any(part in ("..", ".git") for part in parts):
        raise ReplicaError(f"{name[:80]!r} is no path below a work dir")
    at = folder
    for part in parts[:-1]:
        at = at / part
        try:
            at.mkdir()
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(at).st_mode):
                raise ReplicaError(f"{name[:80]!r} does not lie below the work dir") from None
    return at / parts[-1]
