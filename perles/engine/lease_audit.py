"""The audit of leases: one whose holder is gone is released, once, with an event.

Leases are released in the transaction that ends their holder, so this finds nothing
as long as nobody changes rows by hand; it is there for when somebody did.
"""

from perles.engine import calls, queries, scheduler
from perles.engine.context import Context, log
from perles.store.database import Tx
from perles.store.schema import Lease, Turn


async def audit_leases(context: Context) -> int:
    """Release what nobody holds; how many leases and queued turns that were."""
    reader = context.reader
    if not (reader.row(queries.LOST_LEASES) or reader.row(queries.LOST_QUEUED_TURNS)):
        return 0
    released = await context.writer.write(release_lost)
    if released:
        log.warning("released %s leases whose holders are gone", released)
        context.kick()
    return released


def release_lost(tx: Tx) -> int:
    """Release every lease whose holder is gone, and end queued turns that nobody waits for."""
    lost = tx.all(Lease, queries.LOST_LEASES)
    for lease in lost:
        scheduler.drop(tx, lease, because="its holder is gone")
    turns = tx.all(Turn, queries.LOST_QUEUED_TURNS)
    for turn in turns:
        calls.give_up(tx, turn)
    return len(lost) + len(turns)
