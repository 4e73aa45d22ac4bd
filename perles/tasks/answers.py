"""Tasks that wait for a person: asked as soon as they are ready, answered by approve or deny."""

from typing import Any

from perles.domain.errors import NotFoundError, WrongStateError
from perles.domain.states import TASK
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import attempts, comments, graph
from perles.tasks.questions import note_waiting

Asker = dict[str, Any] | None
"""Who answered, as `commands.origin` has it."""


def waiting_task(tx: Tx, workflow_id: str, key: str, step: str) -> Task:
    """The task of this key that waits for a person. Raises `NotFoundError`, `WrongStateError`."""
    task = tx.first(Task, statements.TASK_KEYED, workflow_id=workflow_id, key=key)
    if task is None:
        raise NotFoundError("task", key, f"perles tasks {workflow_id} shows the keys")
    if task.status != "waiting_for_user":
        raise WrongStateError("task", task.key, task.status, step)
    return task


def approve(
    tx: Tx, workflow_id: str, key: str, message: str | None, *, by: Asker = None
) -> dict[str, Any]:
    """The person says yes: the task is done, and what waited for it may be ready now.

    A task that its reviewers denied is approved in their place: it can be committed.
    """
    task = waiting_task(tx, workflow_id, key, "approve")
    if task.assignee != "human":
        return _overrule(tx, task, message, by)
    said = message or "approved"
    outputs = journal.encode({"summary": said, "output": said})
    payload = {"key": task.key, "text": message, "by": by}
    changes = {"ended_at": tx.now, "outputs": outputs}
    fire(tx, TASK, task.id, "approve", changes=changes, payload=payload)
    ready = graph.settle(tx, task).ready
    note_waiting(tx, workflow_id)
    _tell(tx, workflow_id, f"the user approved task {task.key}", message)
    return {"status": "approved", "task": task.key, "now_ready": ready}


def deny(tx: Tx, workflow_id: str, key: str, reason: str, *, by: Asker = None) -> dict[str, Any]:
    """The person says no: the task failed, and whatever depends on it is skipped."""
    task = waiting_task(tx, workflow_id, key, "deny")
    if task.assignee != "human":
        comments.add(tx, task, "user", "answer", reason)
        attempts.take_from_worker(tx, task, f"the user denied it: {reason}")
    payload = {"key": task.key, "reason": reason, "by": by}
    fire(tx, TASK, task.id, "deny", payload=payload)
    graph.fail(tx, task, f"denied: {reason}", {**payload, "exit_code": None})
    skipped = graph.settle(tx, task).skipped
    note_waiting(tx, workflow_id)
    _tell(tx, workflow_id, f"the user denied task {task.key}", reason)
    return {"status": "denied", "task": task.key, "skipped": skipped}


def _overrule(tx: Tx, task: Task, message: str | None, by: Asker) -> dict[str, Any]:
    """The person takes a task as it is that its reviewers denied."""
    payload = {"key": task.key, "text": message, "by": by}
    fire(tx, TASK, task.id, "overrule", changes={"verdict": "approved"}, payload=payload)
    comments.add(tx, task, "user", "answer", message or "approved")
    note_waiting(tx, task.workflow_id)
    what = (
        f"the user approved task {task.key} as it is; call approve_commit, or mark_task_complete "
        "where nothing is to be committed"
    )
    _tell(tx, task.workflow_id, what, message)
    return {"status": "approved", "task": task.key, "now_ready": []}


def _tell(tx: Tx, workflow_id: str, what: str, message: str | None) -> None:
    body = f"{what}: {message}" if message else what
    messages.tell_coordinator(tx, workflow_id, sender="user", kind="user", body=body)
