"""A new database in one go: the script that tells what the migrations make of an empty one."""

from contextlib import closing
from pathlib import Path
from typing import Final

from perles.store.sqlite import backend
from perles.store.sqlite.driver import BUSY_TIMEOUT, dbapi

FIRST_LINE: Final = (
    "-- What the migrations make of an empty database, up to revision {} (make statements)\n"
)


def is_of(script: Path, revision: str) -> bool:
    """Whether the script is there and makes the schema of this revision."""
    try:
        with script.open() as file:
            return file.readline() == FIRST_LINE.format(revision)
    except FileNotFoundError:
        return False


def is_empty(path: Path) -> bool:
    """Whether there is nothing at all in a database; also where there is no file.

    Raises the driver's own error for what is no database.
    """
    if not path.exists():
        return True
    with closing(dbapi.connect(str(path), timeout=BUSY_TIMEOUT)) as connection:
        return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def make(path: Path, script: Path) -> None:
    """Carry the script out in one transaction. Raises the driver's own errors."""
    with closing(dbapi.connect(str(path), timeout=BUSY_TIMEOUT, isolation_level=None)) as writing:
        backend.prepare_migration(writing)
        writing.executescript(f"{backend.BEGIN};\n{script.read_text()}COMMIT;")
