"""Rows of named leases, and what a task's change of state means for its leases.

A name is held by tasks that somebody has in hand, so it is free again in the very transaction
in which a task is so no more, whatever led to that.
"""

from typing import Final

from perles.domain.machine import Decision
from perles.domain.states import HOLDING_TASK_STATES, TaskStatus
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, literal_column, select, update
from perles.store.lost_leases import LOST_NAMED
from perles.store.schema.resources import NamedLease
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

OF_TASK: Final = Sql(
    select(NamedLease).where(NamedLease.task_id == bindparam("task_id")).order_by(NamedLease.id)
)
HELD: Final = Sql(
    select(NamedLease.name, NamedLease.size).where(NamedLease.acquired_at.is_not(None))
)
WAITING: Final = Sql(
    select(
        NamedLease.task_id,
        NamedLease.name,
        NamedLease.size,
        NamedLease.asked_at,
        NamedLease.told_at,
        Workflow.priority,
        Task.key,
        Task.status,
        Task.workflow_id,
    )
    .join(Task, Task.id == NamedLease.task_id)
    .join(Workflow, Workflow.id == NamedLease.workflow_id)
    .where(NamedLease.acquired_at.is_(None), Workflow.state == "running")
    .order_by(NamedLease.id)
)
LOST: Final = Sql(select(NamedLease).where(literal_column(LOST_NAMED)).order_by(NamedLease.id))
_OF_WORKFLOW: Final = Sql(
    select(NamedLease).where(NamedLease.workflow_id == WORKFLOW_ID).order_by(NamedLease.id)
)
_DROP: Final = Sql(delete(NamedLease).where(NamedLease.id == bindparam("id_")))
_TELL_ANEW: Final = Sql(
    update(NamedLease)
    .where(
        NamedLease.name == bindparam("name_"),
        NamedLease.acquired_at.is_(None),
        NamedLease.told_at.is_not(None),
    )
    .values(told_at=None)
)


def settle(tx: Tx, task_id: int, decision: Decision) -> None:
    """A task has changed its state: it gives up what it may not hold in the new one."""
    if decision.dest not in HOLDING_TASK_STATES and decision.source != TaskStatus.PENDING:
        for lease in tx.all(NamedLease, OF_TASK, task_id=task_id):
            drop(tx, lease)


def release_all(tx: Tx, workflow_id: str) -> None:
    """A workflow that does not run holds no name, and waits for none."""
    for lease in tx.all(NamedLease, _OF_WORKFLOW, workflow_id=workflow_id):
        drop(tx, lease)


def drop(tx: Tx, lease: NamedLease, *, because: str | None = None) -> None:
    """Take away one claim. Where it held the name, tasks that wait for it may be told again."""
    tx.run(_DROP, id_=lease.id)
    if lease.acquired_at is None:
        return
    tx.run(_TELL_ANEW, name_=lease.name)
    tell(tx, "resource.lease_released", lease, because)


def tell(tx: Tx, type: str, lease: NamedLease, because: str | None = None) -> None:
    """Journal what became of a claim."""
    payload = {"kind": "limit", "value": None, "name": lease.name, "size": lease.size}
    journal.append(
        tx,
        type,
        payload if because is None else {**payload, "because": because},
        workflow_id=lease.workflow_id,
        task_id=lease.task_id,
    )
