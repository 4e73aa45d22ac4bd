"""The next attempt at a task that failed: at once, or after the delay that its plan asks for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from perles.domain.clock import from_text, to_text
from perles.domain.states import BEGUN_TASK_STATES, TASK
from perles.fabric import messages
from perles.store.expressions import bindparam, func, select
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.graph import unblock
from perles.tasks.stored_execution import execution_of

_WAITS: Final = (Task.held_until.is_not(None), Task.status == "pending")
NEXT: Final = Sql(
    select(func.min(Task.held_until).label("held_until"))
    .join(Workflow, Workflow.id == Task.workflow_id)
    .where(*_WAITS, Workflow.state == "running")
)
"""When the first task that waits for its next attempt has waited long enough; None without one."""
_DUE: Final = Sql(
    select(Task.id, Task.key, Task.workflow_id)
    .join(Workflow, Workflow.id == Task.workflow_id)
    .where(*_WAITS, Task.held_until <= bindparam("now_"), Workflow.state == "running")
    .order_by(Task.id)
)


def may_follow(task: Task) -> bool:
    """Whether the attempt that failed is followed by another one."""
    retry = execution_of(task).retry
    is_left = task.status in BEGUN_TASK_STATES and task.attempt <= task.retries
    return is_left and retry.allows(task.exit_code)


def follow(tx: Tx, task: Task, reason: str, payload: Mapping[str, Any]) -> str | None:
    """Have the task tried again; until when it waits for that, None where it is ready."""
    seconds = execution_of(task).retry.seconds(task.attempt)
    if seconds <= 0:
        fire(tx, TASK, task.id, "retry", changes={"failure": reason}, payload=payload)
        return None
    until = to_text(from_text(tx.now) + timedelta(seconds=seconds))
    changes = {"failure": reason, "held_until": until}
    fire(tx, TASK, task.id, "retry", changes=changes, payload={**payload, "until": until})
    fire(tx, TASK, task.id, "block", payload={"key": task.key, "until": until})
    return until


def release(tx: Tx) -> list[str]:
    """Make ready what has waited long enough, and tell the coordinators; the keys."""
    rows = tx.rows(_DUE, now_=tx.now)
    for row in rows:
        tx.update(Task, row["id"], held_until=None)
    for workflow_id in dict.fromkeys(row["workflow_id"] for row in rows):
        unblock(tx, workflow_id)
        keys = ", ".join(row["key"] for row in rows if row["workflow_id"] == workflow_id)
        body = f"{keys}: the delay before the next attempt is over"
        messages.tell_coordinator(tx, workflow_id, sender="perles", kind="system", body=body)
    return [row["key"] for row in rows]
