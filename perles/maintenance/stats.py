"""How large the home is: the database, its rows, the sessions, the backups."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from perles.config.home import Paths
from perles.maintenance.backup import backups
from perles.store.reads.connection import reading
from perles.store.reads.ended import contents_of


class Space(NamedTuple):
    """Files, and the bytes that they take on the disk."""

    files: int
    bytes: int


def stats(paths: Paths) -> dict[str, Any]:
    """In the shape of `maintenance stats --json`."""
    path = paths.database_path()
    with reading(path) as connection:
        inside = _nothing() if connection is None else contents_of(connection)
    sessions = _space(_files(paths.sessions_dir()))
    return {
        "home": str(paths.root),
        "database_bytes": _size(path),
        "wal_bytes": _size(Path(f"{path}-wal")),
        **inside,
        "session_files": sessions.files,
        "session_bytes": sessions.bytes,
        "backups": len(found := backups(paths)),
        "backup_bytes": sum(_size(one) for one in found),
    }


def _nothing() -> dict[str, Any]:
    return {"free_bytes": 0, "rows": {}, "workflows": {}, "oldest": None, "oldest_ended_at": None}


def _space(sizes: Iterator[int]) -> Space:
    found = list(sizes)
    return Space(len(found), sum(found))


def _files(folder: Path) -> Iterator[int]:
    """The bytes on the disk of every file below, links not followed, however deep it lies."""
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # it went meanwhile, or may not be read, or its path is too long
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # it went meanwhile
            if stat.S_ISDIR(found.st_mode):
                waiting.append(entry.path)
            else:
                yield found.st_blocks * 512


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
