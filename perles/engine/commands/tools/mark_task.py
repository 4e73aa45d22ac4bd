"""mark_task_complete and mark_task_failed: what becomes of a task and of its dependents."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.states import OPEN_TASK_STATES, TASK
from perles.engine.commands.base import ToolCall
from perles.store.database import Tx
from perles.store.schema.tasks import Task
from perles.store.transition import fire
from perles.tasks import questions
from perles.tasks.attempts import free_worker, take_from_worker
from perles.tasks.graph import skip_dependents, unblock


def complete(call: ToolCall) -> dict[str, Any]:
    """The task is done: its worker is free, and what waited for it may be ready now."""
    tx, task = call.tx, call.task()
    if task.status not in ("in_progress", "committing"):
        raise ToolError(f"cannot complete task {task.key}: it is {task.status}, nobody works on it")
    if task.exit_code not in (None, 0):
        raise ToolError(
            f"cannot complete task {task.key}: its command ended with exit {task.exit_code}; "
            "use mark_task_failed"
        )
    payload = {"key": task.key, "attempt": task.attempt}
    fire(tx, TASK, task.id, "complete", changes={"ended_at": tx.now}, payload=payload)
    free_worker(tx, task)
    return {"status": "done", "task_id": task.key, "now_ready": unblock(tx, call.workflow.id)}


def fail(call: ToolCall) -> dict[str, Any]:
    """The attempt failed: the task is ready again while it has retries, else it failed.

    Whatever depends on a failed task is skipped, directly or through others.
    """
    tx, task, reason = call.tx, call.task(), call.args["reason"]
    if task.status not in OPEN_TASK_STATES:
        raise ToolError(f"cannot fail task {task.key}: it is {task.status} already")
    payload = {
        "key": task.key,
        "attempt": task.attempt,
        "exit_code": task.exit_code,
        "reason": reason,
    }
    take_from_worker(tx, task, reason)
    if task.status == "in_progress" and task.attempt <= task.retries:
        fire(tx, TASK, task.id, "retry", changes={"failure": reason}, payload=payload)
        return {
            "status": "retrying",
            "task_id": task.key,
            "attempt": task.attempt,
            "retries": task.retries,
        }
    changes = {"failure": reason, "ended_at": tx.now}
    fire(tx, TASK, task.id, "fail", changes=changes, payload=payload)
    return {
        "status": "failed",
        "task_id": task.key,
        "skipped": _skip(tx, task),
        "way_on": "reopen_task, where it is worth another try",
    }


def _skip(tx: Tx, task: Task) -> list[str]:
    skipped = skip_dependents(tx, task)
    questions.note_waiting(tx, task.workflow_id)
    return skipped
