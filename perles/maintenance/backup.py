"""Copy the live database, online, to a file that appears only whole and verified."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from perles.config.home import Paths
from perles.domain.clock import Clock, SystemClock
from perles.domain.errors import DatabaseError
from perles.domain.text import clean, cut
from perles.store.place import shown, url_of
from perles.store.sqlite.copying import copy, is_ours
from perles.store.sqlite.errors import database_errors

_STAMP: Final = "%Y%m%dT%H%M%S%fZ"


def backup(source: Path, target: Path) -> None:
    """Copy `source` to `target`. Raises `DatabaseError` in one clear line; no half file is left."""
    refuse_server(source)
    refuse(source, target)
    half = target.with_name(f".perles-{os.getpid()}.part")
    try:
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with database_errors(target):
                copy(source, half)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"cannot write backup {cut(clean(str(target)), 80)}: {error.strerror}; "
            "give another FILE or free some space"
        ) from error


def backup_in_home(paths: Paths, *, keep: int = 0, clock: Clock | None = None) -> Path:
    """A backup with its time in its name in the home's own folder; the newest `keep` stay."""
    refuse_server(paths.database_path())
    folder = paths.root / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"perles-{(clock or SystemClock()).now():{_STAMP}}.db"
    backup(paths.database_path(), target)
    if keep:
        for old in backups(paths)[:-keep]:
            old.unlink(missing_ok=True)
    return target


def refuse_server(path: Path) -> None:
    """Raise `DatabaseError` where the database is on a server, whose own tools back it up."""
    if url_of(path) is not None:
        raise DatabaseError(
            f"cannot back up {shown(path)}: it is on a PostgreSQL server; use pg_dump, or the "
            "backups of the server"
        )


def backups(paths: Paths) -> list[Path]:
    """The backups in the home's own folder, the oldest first."""
    return sorted((paths.root / "backups").glob("perles-*Z.db"))


def time_of(path: Path) -> datetime | None:
    """When such a backup was made, by its name."""
    try:
        found = datetime.strptime(path.stem.removeprefix("perles-"), _STAMP)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC)


def refuse(source: Path, target: Path) -> None:
    """Raise `DatabaseError` where `target` is the live database, or something that is no backup."""
    live = [Path(f"{source}{end}") for end in ("", "-wal", "-shm", ".lock", ".maintenance.lock")]
    found = os.path.realpath(target)
    if any(os.path.realpath(path) == found or _is_same(path, target) for path in live):
        raise DatabaseError(
            f"cannot write backup {target}: that is the live database; name another"
        )
    if os.path.lexists(target) and not _is_backup(target):
        raise DatabaseError(
            f"cannot write backup {target}: something that is no backup is there; name another"
        )


def _is_same(path: Path, target: Path) -> bool:
    """Whether both are one file, by a hard link or under two names of a folder."""
    try:
        return path.samefile(target)
    except OSError:
        return False  # one of them is not there


def _is_backup(target: Path) -> bool:
    """Whether a regular file holds a database of ours; a pipe is not even opened."""
    if not stat.S_ISREG(os.lstat(target).st_mode):
        return False
    return is_ours(target)
