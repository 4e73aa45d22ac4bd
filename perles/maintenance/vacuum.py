"""Give the space of removed rows back to the disk."""

from contextlib import closing
from pathlib import Path

from perles.domain.errors import DatabaseError
from perles.store.place import shown, url_of
from perles.store.sqlite import backend
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.transactions import connect


def vacuum(database: Path) -> None:
    """Rewrite the database file without free pages; writers wait. Raises `DatabaseError`."""
    if url_of(database) is not None:
        raise DatabaseError(
            f"cannot vacuum {shown(database)}: it is on a PostgreSQL server, which does so by "
            "itself; vacuumdb --full shrinks its files"
        )
    with database_errors(database), closing(connect(database)) as connection:
        backend.vacuum(connection)
