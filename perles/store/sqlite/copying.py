"""Copies of a database that others write to meanwhile: each is one moment of it, whole."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from perles.domain.errors import DatabaseError
from perles.store.sqlite import backend
from perles.store.sqlite.driver import dbapi, open_readonly

PATIENCE: Final = 30.0
"""Seconds in a row that the copy may find one of the two files locked."""
_OURS: Final = frozenset({"workflows", "events", "leases"})


def copy(source: Path, target: Path) -> None:
    """Copy the database at `source` over `target`, verified, in one file without a log.

    Raises `DatabaseError` where the source stays locked or the copy is damaged, and the
    driver's own errors.
    """
    with closing(dbapi.connect(str(source))) as reading, closing(_written(target)) as writing:
        reading.backup(writing, progress=patient(source, time.monotonic), sleep=0.1)
        backend.make_single_file(writing)
        found = backend.damage(writing)
        if found is not None:
            raise DatabaseError(f"cannot keep this backup: {found}; perles maintenance check")


def copy_as_it_is(source: Path, target: Path) -> None:
    """Copy it without a look at whether it is whole. Raises the driver's own errors."""
    with closing(dbapi.connect(str(source))) as reading, closing(_written(target)) as writing:
        reading.backup(writing)


def _written(target: Path) -> Any:
    return dbapi.connect(str(target))


def is_ours(path: Path) -> bool:
    """Whether a regular file is a database of Perles."""
    try:
        with closing(open_readonly(str(path))) as connection:
            return _OURS.issubset(backend.tables(connection))
    except dbapi.Error:
        return False


def patient(source: Path, now: Callable[[], float]) -> Callable[[int, int, int], None]:
    """The driver asks again for ever while a file is locked: this ends it after a time."""
    since: list[float] = []

    def look(status: int, _remaining: int, _total: int) -> None:
        if status not in (dbapi.SQLITE_BUSY, dbapi.SQLITE_LOCKED):
            since.clear()
        elif not since:
            since.append(now())
        elif now() - since[0] > PATIENCE:
            raise DatabaseError(
                f"cannot read database {source}: another process holds it for {PATIENCE:.0f} s; "
                "try again, or find it: perles engine status"
            )

    return look
