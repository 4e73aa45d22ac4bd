"""How large the home is: the database, its rows, the sessions, the backups."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perles.config.home import Paths
from perles.maintenance.backup import backups
from perles.store import place
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from perles.store.reads.connection import Connection


class Space(NamedTuple):
    """Files, and the bytes that they take on the disk."""

    files: int
    bytes: int


def stats(paths: Paths) -> dict[str, Any]:
    """In the shape of `maintenance stats --json`."""
    path = paths.database_path()
    with reading(path) as connection:
        inside = _nothing() if connection is None else _inside(connection)
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


def _inside(connection: "Connection") -> dict[str, Any]:
    states = connection.execute("SELECT state, count(*) FROM workflows GROUP BY state")
    oldest = connection.execute("SELECT min(created_at), min(ended_at) FROM workflows").fetchone()
    return {
        "free_bytes": place.free_bytes(connection),
        "rows": {
            table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608
            for table in place.tables(connection)
        },
        "workflows": {row[0]: row[1] for row in states},
        "oldest": oldest[0],
        "oldest_ended_at": oldest[1],
    }


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
