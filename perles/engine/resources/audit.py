"""The audit of leases: one whose holder is gone is released, once, with an event.

Leases are released in the transaction that ends their holder, so this finds nothing
as long as nobody changes rows by hand; it is there for when somebody did.
"""

from typing import Final

from perles.engine.context import Context, log
from perles.engine.resources import ai_calls, leases
from perles.store import named_leases
from perles.store.expressions import literal_column, select
from perles.store.lost_leases import LOST
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.resources import Lease, NamedLease
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx

LOST_LEASES: Final = Sql(select(Lease).where(literal_column(LOST)).order_by(Lease.id))
LOST_QUEUED_TURNS: Final = Sql(
    select(Turn)
    .join(Workflow, Workflow.id == Turn.workflow_id)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Turn.status == "queued", (Workflow.state != "running") | (Agent.status != "ready"))
    .order_by(Turn.id)
)


async def audit_leases(context: Context) -> int:
    """Release what nobody holds; how many leases and queued turns that were."""
    reader = context.reader
    if not any(reader.row(sql) for sql in (LOST_LEASES, LOST_QUEUED_TURNS, named_leases.LOST)):
        return 0
    released = await context.writer.write(release_lost)
    if released:
        log.warning("released %s leases whose holders are gone", released)
        context.kick()
    return released


def release_lost(tx: Tx) -> int:
    """Release every lease whose holder is gone, and end queued turns that nobody waits for."""
    lost = tx.all(Lease, LOST_LEASES)
    for lease in lost:
        leases.drop(tx, lease, because="its holder is gone")
    named = tx.all(NamedLease, named_leases.LOST)
    for claim in named:
        named_leases.drop(tx, claim, because="its holder is gone")
    turns = tx.all(Turn, LOST_QUEUED_TURNS)
    for turn in turns:
        ai_calls.give_up(tx, turn)
    return len(lost) + len(named) + len(turns)
