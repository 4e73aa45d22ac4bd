"""reopen_task: a task that failed is tried again, and with it what was skipped because of it."""

from typing import Any, Final

from perles.domain.errors import ToolError
from perles.domain.states import TASK, TaskStatus
from perles.engine.commands.base import ToolCall
from perles.store import statements
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import services
from perles.tasks.graph import unblock

MAX_ATTEMPTS: Final = 20
"""Attempts at one task that its coordinator may bring it to."""
CLOSED: Final = (TaskStatus.FAILED, TaskStatus.SKIPPED)


def handle(call: ToolCall) -> dict[str, Any]:
    """Reopen the task; it is ready once all that it waits for is done. Raises `ToolError`."""
    tx, task = call.tx, call.task()
    _may_be_reopened(task)
    tasks = {one.id: one for one in tx.all(Task, statements.TASKS_OF, workflow_id=call.workflow.id)}
    after = _blockers(tx, call.workflow.id)
    blocker = next((tasks[id] for id in after.get(task.id, ()) if _is_closed(tasks[id])), None)
    if blocker is not None:
        raise ToolError(
            f"cannot reopen task {task.key}: it waits for {blocker.key}, which is "
            f"{blocker.status}; reopen that one"
        )
    over = next((tasks[id] for id in after.get(task.id, ()) if _is_over(tasks[id])), None)
    if over is not None:
        raise ToolError(
            f"cannot reopen task {task.key}: the service {over.key}, which it needs, has ended; "
            "create_task makes a task that needs none"
        )
    changes: dict[str, Any] = {"failure": None, "ended_at": None, "exit_code": None}
    if call.args.get("retries") is not None:
        changes["retries"] = task.attempt + call.args["retries"]
    reopened = [_reopen(tx, task, changes, call.args["reason"])]
    open_again = {task.id}
    while found := _next_skipped(tasks, after, open_again):
        because = f"{task.key} was reopened"
        reopened.append(_reopen(tx, found, {"failure": None, "ended_at": None}, because))
        open_again.add(found.id)
    ready = unblock(tx, call.workflow.id)
    status = "ready" if task.key in ready else "pending"
    return {"status": status, "task_id": task.key, "reopened": reopened}


def _may_be_reopened(task: Task) -> None:
    if task.status not in CLOSED:
        raise ToolError(
            f"cannot reopen task {task.key}: it is {task.status}; only one that failed or was "
            "skipped can be"
        )
    is_asked = task.assignee == "human" or task.question is not None
    if is_asked and task.status == TaskStatus.FAILED:
        raise ToolError(f"cannot reopen task {task.key}: the user denied it")
    if task.attempt >= MAX_ATTEMPTS:
        raise ToolError(f"cannot reopen task {task.key}: it was tried {task.attempt} times already")


def _blockers(tx: Tx, workflow_id: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in tx.rows(statements.DEPENDENCIES_OF, workflow_id=workflow_id):
        found.setdefault(row["task_id"], []).append(row["depends_on_id"])
    return found


def _next_skipped(
    tasks: dict[int, Task], after: dict[int, list[int]], open_again: set[int]
) -> Task | None:
    """A task that was skipped only because of tasks that are open again."""
    for task in tasks.values():
        blockers = after.get(task.id, [])
        if task.status != TaskStatus.SKIPPED or task.id in open_again:
            continue
        closed = [id for id in blockers if _is_closed(tasks[id]) and id not in open_again]
        if open_again.intersection(blockers) and not closed:
            return task
    return None


def _is_over(task: Task) -> bool:
    """Whether it is a service that was ended: it is not begun again."""
    return task.status == TaskStatus.DONE and services.is_service(task)


def _is_closed(task: Task) -> bool:
    """Whether what waits for it cannot begin."""
    return task.status in CLOSED and not task.tolerated


def _reopen(tx: Tx, task: Task, changes: dict[str, Any], reason: str) -> str:
    changes = {**changes, "tolerated": 0}
    payload = {"key": task.key, "attempt": task.attempt, "reason": reason}
    fire(tx, TASK, task.id, "reopen", changes=changes, payload=payload)
    return task.key
