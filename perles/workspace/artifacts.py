"""Artifacts: copies of files that a task left, in the session of its workflow."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from perles.domain.needs import Kept
from perles.workspace import door
from perles.workspace.patterns import TooManyError, matching

FOLDER: Final = "artifacts"
MAX_FILES: Final = 1000
_PIECE: Final = 1024 * 1024


class Collected(NamedTuple):
    """The files that were copied, each with `path`, `bytes` and `sha256`; or why none were."""

    files: tuple[dict[str, Any], ...] = ()
    problem: str = ""


class _Refused(Exception):
    """They cannot be kept; its text says why."""


def collect(folder: Path, kept: Kept, session: Path, key: str) -> Collected:
    """Copy what a task leaves to its place in the session, in the place of what was there.

    Links are not followed. Not to be called in a transaction, nor on the event loop.
    """
    into = session / FOLDER / key
    try:
        paths = _paths(folder, kept)
        _clear(into)
        return Collected(tuple(_copies(folder, paths, into, kept.max_bytes)))
    except (_Refused, OSError, TooManyError) as error:
        _clear(into)
        why = error.strerror if isinstance(error, OSError) else None
        return Collected(problem=f"cannot keep its artifacts: {why or error}")


def _paths(folder: Path, kept: Kept) -> list[str]:
    found: dict[str, None] = {}
    for pattern in kept.paths:
        fits = [one.path for one in matching(folder, pattern) if not one.is_link]
        if not fits and not kept.optional:
            raise _Refused(f"no file fits {pattern!r} in {folder}")
        found |= dict.fromkeys(fits)
        if len(found) > MAX_FILES:
            raise _Refused(f"more than {MAX_FILES} files fit; keep an archive of them")
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise _Refused(f"the name {path!r} is not UTF-8; rename it") from None
    return list(found)


def _copies(folder: Path, paths: list[str], into: Path, most: int) -> Iterator[dict[str, Any]]:
    left = most
    for path in paths:
        size, digest = _copy(folder, PurePosixPath(path), into, left, most)
        left -= size
        yield {"path": path, "bytes": size, "sha256": digest}


def _copy(
    folder: Path, relative: PurePosixPath, into: Path, left: int, most: int
) -> tuple[int, str]:
    """Copy one file, which may grow meanwhile; its bytes and their digest."""
    target = into / relative
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    source = door.open_below(folder, Path(relative), foreign=True)
    with os.fdopen(source, "rb") as file, os.fdopen(door.create(target), "wb") as copy:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > left:
                raise _Refused(f"they are over {most} bytes (max_bytes)")
            digest.update(piece)
            copy.write(piece)
        if os.fstat(file.fileno()).st_mode & 0o100:
            os.fchmod(copy.fileno(), 0o700)
    return size, digest.hexdigest()


def _clear(into: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(into)
