"""approve and deny: a person's answer to a task that waits for one."""

from typing import Any

from perles.domain.errors import NotFoundError, UsageError, WrongStateError
from perles.domain.states import TASK, WORKFLOW
from perles.engine import mail, queries
from perles.engine.context import Context
from perles.engine.task_graph import skip_dependents, unblock
from perles.store.database import Reader, Tx
from perles.store.schema import Command, Task, Workflow
from perles.store.transition import fire


def check_answer(reader: Reader, workflow: Workflow, kind: str, args: dict[str, Any]) -> Task:
    """The task that is answered. Raises `NotFoundError`, `WrongStateError`, `UsageError`."""
    if workflow.state in WORKFLOW.terminal:
        raise WrongStateError("workflow", workflow.id, workflow.state, kind)
    key = str(args["task"])
    task = reader.first(Task, queries.TASK_KEYED, workflow_id=workflow.id, key=key)
    if task is None:
        raise NotFoundError("task", key)
    if task.status != "waiting_for_user":
        raise WrongStateError("task", key, task.status, kind)
    if kind == "deny" and not str(args.get("message") or "").strip():
        raise UsageError(f"cannot deny {key} without a reason: give it with -m")
    return task


async def approve(context: Context, command: Command, args: dict[str, Any]) -> dict[str, Any]:
    """The task is done, and what waited for it may go on."""
    return await context.writer.write(lambda tx: _answer(tx, command, "approve", args))


async def deny(context: Context, command: Command, args: dict[str, Any]) -> dict[str, Any]:
    """The task failed, with the person's reason; what waited for it is skipped."""
    return await context.writer.write(lambda tx: _answer(tx, command, "deny", args))


def _answer(tx: Tx, command: Command, kind: str, args: dict[str, Any]) -> dict[str, Any]:
    workflow = tx.need(Workflow, command.workflow_id or "")
    task = check_answer(tx, workflow, kind, args)
    said = str(args.get("message") or "")
    payload = {"key": task.key, "message": said}
    if kind == "approve":
        fire(tx, TASK, task.id, "approve", changes={"ended_at": tx.now}, payload=payload)
        unblock(tx, workflow.id)
    else:
        fire(tx, TASK, task.id, "deny", payload=payload)
        changes = {"failure": f"denied: {said}", "ended_at": tx.now}
        fire(tx, TASK, task.id, "fail", changes=changes, payload=payload)
        skip_dependents(tx, task)
    asks = tx.value(queries.COUNT_ASKING_TASKS, workflow_id=workflow.id)
    tx.update(Workflow, workflow.id, waiting_for_user=int(asks > 0))
    body = f"{task.key} was answered: {kind}" + (f": {said}" if said else "")
    mail.tell_coordinator(tx, workflow.id, sender="you", kind="user", body=body)
    return {"status": kind, "task": task.key}
