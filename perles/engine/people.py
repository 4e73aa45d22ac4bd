"""Tasks that wait for a person: asked as soon as they are ready, answered by approve or deny."""

from typing import Any

from sqlalchemy import bindparam, select

from perles.domain.errors import NotFoundError, WrongStateError
from perles.domain.states import TASK
from perles.engine import mail, queries, task_graph
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Task, Workflow
from perles.store.sql import Sql
from perles.store.transition import fire

Asker = dict[str, Any] | None
"""Who answered, as `commands.origin` has it."""
_OF_STATUS = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == bindparam("workflow_id"),
        Task.status == bindparam("status"),
        Task.assignee == "human",
    )
    .order_by(Task.id)
)


def ask_people(tx: Tx, workflow_id: str) -> None:
    """Put every ready human task to the person, once the workflow has started."""
    if tx.need(Workflow, workflow_id).state in ("running", "paused"):
        for row in tx.rows(_OF_STATUS, workflow_id=workflow_id, status="ready"):
            task = tx.need(Task, row["id"])
            payload = {"key": task.key, "question": question_of(task)}
            fire(tx, TASK, task.id, "ask", changes={"started_at": tx.now}, payload=payload)
    note_waiting(tx, workflow_id)


def question_of(task: Task) -> str:
    """What the person is asked."""
    return task.body or task.title


def note_waiting(tx: Tx, workflow_id: str) -> None:
    """Keep on the workflow's row whether a task of it waits for a person."""
    waits = int(bool(tx.rows(_OF_STATUS, workflow_id=workflow_id, status="waiting_for_user")))
    if tx.need(Workflow, workflow_id).waiting_for_user != waits:
        tx.update(Workflow, workflow_id, waiting_for_user=waits)


def waiting_task(tx: Tx, workflow_id: str, key: str, step: str) -> Task:
    """The task of this key that waits for a person. Raises `NotFoundError`, `WrongStateError`."""
    task = tx.first(Task, queries.TASK_KEYED, workflow_id=workflow_id, key=key)
    if task is None:
        raise NotFoundError("task", key, f"perles tasks {workflow_id} shows the keys")
    if task.status != "waiting_for_user":
        raise WrongStateError("task", task.key, task.status, step)
    return task


def approve(
    tx: Tx, workflow_id: str, key: str, message: str | None, *, by: Asker = None
) -> dict[str, Any]:
    """The person says yes: the task is done, and what waited for it may be ready now."""
    task = waiting_task(tx, workflow_id, key, "approve")
    outputs = journal.encode({"summary": message or "approved"})
    payload = {"key": task.key, "text": message, "by": by}
    changes = {"ended_at": tx.now, "outputs": outputs}
    fire(tx, TASK, task.id, "approve", changes=changes, payload=payload)
    ready = task_graph.unblock(tx, workflow_id)
    note_waiting(tx, workflow_id)
    _tell(tx, workflow_id, f"the user approved task {task.key}", message)
    return {"status": "approved", "task": task.key, "now_ready": ready}


def deny(tx: Tx, workflow_id: str, key: str, reason: str, *, by: Asker = None) -> dict[str, Any]:
    """The person says no: the task failed, and whatever depends on it is skipped."""
    task = waiting_task(tx, workflow_id, key, "deny")
    payload = {"key": task.key, "reason": reason, "by": by}
    fire(tx, TASK, task.id, "deny", payload=payload)
    changes = {"failure": f"denied: {reason}", "ended_at": tx.now}
    fire(tx, TASK, task.id, "fail", changes=changes, payload={**payload, "exit_code": None})
    skipped = task_graph.skip_dependents(tx, task)
    note_waiting(tx, workflow_id)
    _tell(tx, workflow_id, f"the user denied task {task.key}", reason)
    return {"status": "denied", "task": task.key, "skipped": skipped}


def _tell(tx: Tx, workflow_id: str, what: str, message: str | None) -> None:
    body = f"{what}: {message}" if message else what
    mail.tell_coordinator(tx, workflow_id, sender="user", kind="user", body=body)
