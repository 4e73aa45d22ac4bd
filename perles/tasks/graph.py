"""What the end of one task means for those that wait for it."""

from typing import Final

from sqlalchemy import bindparam, delete, exists, select

from perles.domain.states import OPEN_TASK_STATES, TASK
from perles.store.database import Tx
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transition import fire
from perles.tasks import questions

_upstream = Task.__table__.alias("upstream")
NEWLY_READY: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == WORKFLOW_ID,
        Task.status == "pending",
        Task.held_until.is_(None),
        ~exists()
        .where(TaskDependency.task_id == Task.id)
        .where(TaskDependency.depends_on_id == _upstream.c.id)
        .where(_upstream.c.status != "done"),
    )
    .order_by(Task.id)
)
_REMOVE: Final = Sql(delete(TaskDependency).where(TaskDependency.task_id == bindparam("task_id_")))
DEPENDENTS: Final = Sql(
    select(Task.id, Task.key, Task.status)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"))
    .order_by(Task.id)
)


def unblock(tx: Tx, workflow_id: str) -> list[str]:
    """Make every pending task ready whose dependencies are done; their keys."""
    keys = []
    for row in tx.rows(NEWLY_READY, workflow_id=workflow_id):
        fire(tx, TASK, row["id"], "unblock")
        keys.append(tx.need(Task, row["id"]).key)
    questions.ask_people(tx, workflow_id)
    return keys


def remove_dependencies(tx: Tx, task_id: int) -> None:
    """The task waits for no other one."""
    tx.run(_REMOVE, task_id_=task_id)


def skip_dependents(tx: Tx, failed: Task) -> list[str]:
    """Skip every open task that waits for one that failed, directly or through others."""
    skipped: list[str] = []
    waiting = [(failed.id, failed.key)]
    while waiting:
        task_id, blocker = waiting.pop()
        for row in tx.rows(DEPENDENTS, task_id=task_id):
            if row["status"] not in OPEN_TASK_STATES or row["key"] in skipped:
                continue
            changes = {"failure": f"{blocker} did not succeed", "ended_at": tx.now}
            payload = {"key": row["key"], "because": blocker}
            fire(tx, TASK, row["id"], "skip", changes=changes, payload=payload)
            skipped.append(row["key"])
            waiting.append((row["id"], row["key"]))
    return skipped
