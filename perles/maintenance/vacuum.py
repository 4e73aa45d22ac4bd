"""Give the space of removed rows back to the disk."""

from contextlib import closing
from pathlib import Path

from perles.store.sqlite import backend
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.transactions import connect


def vacuum(database: Path) -> None:
    """Rewrite the database file without free pages; writers wait. Raises `DatabaseError`."""
    with database_errors(database), closing(connect(database)) as connection:
        backend.vacuum(connection)
