"""ResourceScheduler: leases, taken and released in the transaction of the change that needs them.

A lease is a row. A limit is a count of rows, checked in the transaction that adds
one; since write transactions exclude each other, no limit can be exceeded.
"""

import errno
import socket

from perles.config import ResourcePolicy
from perles.domain.errors import LimitReachedError
from perles.engine import queries
from perles.store import journal
from perles.store.database import Reader, Tx
from perles.store.schema import Lease


def acquire(tx: Tx, kind: str, limit: int, workflow_id: str, agent_id: int | None = None) -> None:
    """Take one of `limit` leases of a kind. Raises `LimitReachedError` with the words to show."""
    used = tx.value(queries.COUNT_LEASES, kind=kind)
    if used >= limit:
        raise LimitReachedError(f"{used} of {limit} {_PLURALS[kind]}")
    _add(tx, kind, None, workflow_id, agent_id)


def holds(reader: Reader, agent_id: int, kind: str) -> bool:
    """Whether the agent holds a lease of this kind."""
    return reader.row(queries.LEASE_OF_AGENT, agent_id=agent_id, kind=kind) is not None


def acquire_port(tx: Tx, port: int, workflow_id: str) -> None:
    """Record that the workflow holds `port`, which its caller has bound already."""
    _add(tx, "port", port, workflow_id, None)


def release_all(tx: Tx, workflow_id: str, *, keep: frozenset[str] = frozenset()) -> None:
    """Release the workflow's leases, except those of the kinds in `keep`."""
    for lease in tx.all(Lease, queries.LEASES_OF, workflow_id=workflow_id):
        if lease.kind not in keep:
            drop(tx, lease)


def release_agent(tx: Tx, agent_id: int, kind: str) -> None:
    """Release the agent's lease of this kind, where it holds one."""
    lease = tx.first(Lease, queries.LEASE_OF_AGENT, agent_id=agent_id, kind=kind)
    if lease is not None:
        drop(tx, lease)


def hand_on(tx: Tx, kind: str, old_id: int, fresh_id: int) -> bool:
    """Give an agent's lease of this kind to another one, whatever the limit; whether it had one."""
    lease = tx.first(Lease, queries.LEASE_OF_AGENT, agent_id=old_id, kind=kind)
    if lease is None:
        return False
    drop(tx, lease)
    _add(tx, kind, None, lease.workflow_id, fresh_id)
    return True


def drop(tx: Tx, lease: Lease, *, because: str | None = None) -> None:
    """Release one lease."""
    tx.run(queries.DROP_LEASE, id_=lease.id)
    payload = {"kind": lease.kind, "value": lease.value}
    journal.append(
        tx,
        "resource.lease_released",
        payload if because is None else {**payload, "because": because},
        workflow_id=lease.workflow_id,
        agent_id=lease.agent_id,
    )


def bind_port(reader: Reader, policy: ResourcePolicy, preferred: int | None) -> socket.socket:
    """A listening socket on a free port of the range, the preferred one first.

    The port is bound before it is leased, so one that a stranger uses is passed
    over. Raises `LimitReachedError` when the whole range is in use.
    """
    if preferred is not None and (bound := _bind(preferred)) is not None:
        return bound
    leased = {row[0] for row in reader.rows(queries.LEASED_PORTS)}
    first, last = policy.port_range_start, policy.port_range_end
    candidates = [port for port in range(first, last + 1) if port not in leased]
    for port in candidates:
        bound = _bind(port)
        if bound is not None:
            return bound
    raise LimitReachedError(f"no free port in {first}-{last}")


_PLURALS = {"workflow": "workflows run", "worker": "workers live", "ai_call": "AI calls run"}


def _bind(port: int) -> socket.socket | None:
    # The protocol is named so that asyncio turns Nagle's algorithm off: with it a call takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise
    listener.setblocking(False)
    return listener


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
