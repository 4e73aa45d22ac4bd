"""The epoch: the number of the engine that leads, which each of its writes checks on a server.

On a file the lock alone decides: the kernel holds it for as long as the engine lives. A session
of a server can be cut while its engine stands still and knows nothing; what that one writes
later finds a higher epoch, and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from perles.store.place import address_of
from perles.store.schema.leadership import Leadership
from perles.store.sqlite.errors import database_errors

if TYPE_CHECKING:
    from perles.store.database import Database
    from perles.store.reader import Reader
    from perles.store.transaction import Tx

_EPOCH: Final = "SELECT epoch FROM leadership WHERE id = 1"


def take(database: Database) -> int:
    """Lead from now on, by the next epoch, which it gives. Asked by who holds the engine lock.

    What the leader before has still open on a server is ended. Raises `DatabaseError`.
    """
    address = address_of(database.path)
    if address is not None:
        from perles.store.postgres import sessions

        with database_errors(database.path):
            sessions.end_engines(address)
    taken = database.write(_next)
    database.lead(taken)
    return taken


def _next(tx: Tx) -> int:
    before = epoch(tx)
    if before:
        tx.update(Leadership, 1, epoch=before + 1)
    else:
        tx.insert(Leadership, id=1, epoch=1)
    return before + 1


def epoch(reader: Reader) -> int:
    """The epoch of the engine that leads, or led last; 0 where none ever did."""
    rows = reader.execute(_EPOCH)
    return int(rows[0][0]) if rows else 0
