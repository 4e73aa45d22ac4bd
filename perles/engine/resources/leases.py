"""ResourceScheduler: leases, taken and released in the transaction of the change that needs them.

A lease is a row. A limit is a count of rows, checked in the transaction that adds
one; since write transactions exclude each other, no limit can be exceeded.
"""

from typing import Final

from perles.domain.errors import LimitReachedError
from perles.store import named_leases
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, func, select
from perles.store.reader import Reader
from perles.store.schema.resources import Lease
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

COUNT_LEASES: Final = Sql(
    select(func.count()).select_from(Lease).where(Lease.kind == bindparam("kind"))
)
LEASES_OF: Final = Sql(select(Lease).where(Lease.workflow_id == WORKFLOW_ID).order_by(Lease.id))
LEASE_OF_AGENT: Final = Sql(
    select(Lease).where(Lease.agent_id == bindparam("agent_id"), Lease.kind == bindparam("kind"))
)
DROP_LEASE: Final = Sql(delete(Lease).where(Lease.id == bindparam("id_")))


def acquire(tx: Tx, kind: str, limit: int, workflow_id: str, agent_id: int | None = None) -> None:
    """Take one of `limit` leases of a kind. Raises `LimitReachedError` with the words to show."""
    used = tx.value(COUNT_LEASES, kind=kind)
    if used >= limit:
        raise LimitReachedError(f"{used} of {limit} {_PLURALS[kind]}")
    _add(tx, kind, None, workflow_id, agent_id)


def holds(reader: Reader, agent_id: int, kind: str) -> bool:
    """Whether the agent holds a lease of this kind."""
    return reader.row(LEASE_OF_AGENT, agent_id=agent_id, kind=kind) is not None


def acquire_port(tx: Tx, port: int, workflow_id: str) -> None:
    """Record that the workflow holds `port`, which its caller has bound already."""
    _add(tx, "port", port, workflow_id, None)


def release_all(tx: Tx, workflow_id: str, *, keep: frozenset[str] = frozenset()) -> None:
    """Release the workflow's leases, except those of the kinds in `keep`."""
    for lease in tx.all(Lease, LEASES_OF, workflow_id=workflow_id):
        if lease.kind not in keep:
            drop(tx, lease)
    if "limit" not in keep:
        named_leases.release_all(tx, workflow_id)


def release_agent(tx: Tx, agent_id: int, kind: str) -> None:
    """Release the agent's lease of this kind, where it holds one."""
    lease = tx.first(Lease, LEASE_OF_AGENT, agent_id=agent_id, kind=kind)
    if lease is not None:
        drop(tx, lease)


def hand_on(tx: Tx, kind: str, old_id: int, fresh_id: int) -> bool:
    """Give an agent's lease of this kind to another one, whatever the limit; whether it had one."""
    lease = tx.first(Lease, LEASE_OF_AGENT, agent_id=old_id, kind=kind)
    if lease is None:
        return False
    drop(tx, lease)
    _add(tx, kind, None, lease.workflow_id, fresh_id)
    return True


def drop(tx: Tx, lease: Lease, *, because: str | None = None) -> None:
    """Release one lease."""
    tx.run(DROP_LEASE, id_=lease.id)
    payload = {"kind": lease.kind, "value": lease.value}
    journal.append(
        tx,
        "resource.lease_released",
        payload if because is None else {**payload, "because": because},
        workflow_id=lease.workflow_id,
        agent_id=lease.agent_id,
    )


_PLURALS = {"workflow": "workflows run", "worker": "workers live", "ai_call": "AI calls run"}


def _add(tx: Tx, kind: str, value: int | None, workflow_id: str, agent_id: int | None) -> None:
    tx.insert(
        Lease,
        kind=kind,
        value=value,
        workflow_id=workflow_id,
        agent_id=agent_id,
        acquired_at=tx.now,
    )
    journal.append(
        tx,
        "resource.lease_granted",
        {"kind": kind, "value": value},
        workflow_id=workflow_id,
        agent_id=agent_id,
    )
