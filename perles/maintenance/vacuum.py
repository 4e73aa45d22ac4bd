"""Give the space of removed rows back to the disk."""

from pathlib import Path

from perles.store.sqlite.driver import BUSY_TIMEOUT, dbapi
from perles.store.sqlite.errors import database_errors


def vacuum(database: Path) -> None:
    """Rewrite the database file without free pages; writers wait. Raises `DatabaseError`."""
    with database_errors(database):
        connection = dbapi.connect(str(database), timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            connection.execute("VACUUM")
            # What was written anew stands in the log: the file shrinks when the log is taken over.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
