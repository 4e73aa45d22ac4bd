"""Turns what SQLite says into what a person can do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perles.domain.errors import DatabaseError
from perles.store.sqlite.driver import dbapi

_ADVICE = (
    ("locked", "another process holds it; try again, or find it: perles engine status"),
    ("readonly", "it, its folder or its file system is read-only; give write permission to both"),
    ("read-only", "it, its folder or its file system is read-only; give write permission to both"),
    (
        "not a database",
        "the file is not SQLite; move it away, or set PERLES_HOME to another folder",
    ),
    ("malformed", "the file is damaged; restore a backup"),
    ("disk is full", "the disk is full; free some space and try again"),
    ("disk i/o", "the disk failed or is full; look at it with df and dmesg"),
    ("unable to open", "check that its folder exists and that you may read and write it"),
)


def is_locked(error: BaseException) -> bool:
    """Whether another connection's lock is all that went wrong."""
    return isinstance(error, dbapi.OperationalError) and "locked" in str(error)


def is_lost(error: BaseException) -> bool:
    """Whether the connection to a server was cut, so that nothing came of what was asked."""
    return getattr(error, "lost", False)


def is_unusable(error: BaseException) -> bool:
    """Whether the database itself is the trouble, and not what was asked of it."""
    if isinstance(error, (dbapi.OperationalError, dbapi.InternalError)):
        return True
    return type(error) is dbapi.DatabaseError  # damaged, or no database: it has no class of its own


def database_error(path: Path | str, error: BaseException) -> DatabaseError:
    """The error to show for what the driver raised on the database at `path`."""
    told: str = getattr(error, "told", "")
    if told:  # the error of a server, which names the database itself
        return DatabaseError(told)
    said = str(error)
    advice = next((text for key, text in _ADVICE if key in said.lower()), "perles db path names it")
    return DatabaseError(f"cannot use database {path}: {said}; {advice}")


@contextmanager
def database_errors(path: Path | str) -> Iterator[None]:
    """Raise `DatabaseError` for whatever the driver raises inside."""
    try:
        yield
    except dbapi.Error as error:
        raise database_error(path, error) from error
