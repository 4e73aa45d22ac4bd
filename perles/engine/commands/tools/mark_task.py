"""mark_task_complete and mark_task_failed: what becomes of a task and of its dependents."""

from collections.abc import Sequence
from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.domain.states import OPEN_TASK_STATES, TASK
from perles.engine.commands.base import ToolCall
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transition import fire
from perles.tasks import (
    checking,
    graph,
    products,
    questions,
    receipts,
    retrying,
    services,
    up_to_date,
)
from perles.tasks.attempts import free_worker, take_from_worker
from perles.tasks.checking import check_of
from perles.tasks.reports import has_report
from perles.tasks.stored_execution import execution_of


def complete(call: ToolCall) -> dict[str, Any]:
    """The task is done: its worker is free, and what waited for it may be ready now."""
    tx, task = call.tx, call.task()
    _may_be_completed(call, task)
    if task.exit_code not in (None, 0):
        raise ToolError(
            f"cannot complete task {task.key}: its command ended with exit {task.exit_code}; "
            "use mark_task_failed"
        )
    missing = _missing(call, task)
    if missing:
        return _without_files(call, task, missing)
    if check_of(task) is not None:
        refused = _checked(call, task)
        if refused is not None:
            return refused
        task = tx.need(Task, task.id)
    payload = {"key": task.key, "attempt": task.attempt}
    receipts.keep(tx, task, call.outside.look)
    if not up_to_date.skipped(tx, task):
        fire(tx, TASK, task.id, "complete", changes={"ended_at": tx.now}, payload=payload)
    free_worker(tx, task)
    return {"status": "done", "task_id": task.key, "now_ready": graph.settle(tx, task).ready}


def _missing(call: ToolCall, task: Task) -> Sequence[str]:
    """Files that the task must make and that are not there.

    Those of a command are looked for here: it is the user's own, and no tool call may come.
    """
    if task.run is None:
        return call.outside.missing
    return products.missing(call.workflow.work_dir, products.wanted(task))


def _without_files(call: ToolCall, task: Task, missing: Sequence[str]) -> dict[str, Any]:
    """What becomes of a task that did not make its files."""
    what = products.said(missing)
    if task.run is None and products.send_back(call.tx, task, missing):
        return {"status": "sent_back", "task_id": task.key, "worker_id": task.assignee, "why": what}
    return _fail(call, task, what, again=task.run is not None)


def _checked(call: ToolCall, task: Task) -> dict[str, Any] | None:
    """None where the task's check passed; else what became of the task. Raises `ToolError`."""
    checked = call.outside.check
    if checked is None or checked.attempt != task.attempt:
        raise ToolError(
            f"cannot complete task {task.key}: its check has not run on this attempt; "
            "mark_task_complete runs it"
        )
    tail = call.tx.secrets.mask(call.tx, call.workflow.id, checked.tail)
    checked = checked._replace(tail=tail)
    if checked.exit_code == 0:
        checking.record_pass(call.tx, task, checked)
        return None
    told = {"task_id": task.key, "check": checked.said, "tail": checked.tail}
    if checking.send_back(call.tx, task, checked):
        return {"status": "sent_back", "worker_id": task.assignee, **told}
    failed = call.tx.need(Task, task.id)
    return _fail(call, failed, f"its check did not pass: {checked.said}", again=False) | told


def _may_be_completed(call: ToolCall, task: Task) -> None:
    """Raise `ToolError` for a task that has no worker, or whose review is not at its end."""
    what = f"cannot complete task {task.key}: it is {task.status}"
    if services.is_service(task):
        raise ToolError(f"{what}; as a service it ends when nothing needs it any more")
    if task.status == "in_review":
        raise ToolError(f"{what}; wait for the verdict")
    if task.status == "denied":
        raise ToolError(f"{what}; assign_review_feedback, and a review after that")
    if task.status == "in_progress" and task.verdict == "denied":
        raise ToolError(f"{what} after a denial; assign_task_review once it is reported on")
    _need_review(task, what)
    if task.status == "committing" and not has_report(task):
        raise ToolError(f"{what}; wait for {task.assignee} to report its commit")
    if task.status == "approved":
        _need_nothing_to_commit(call, task, what)
    elif task.status not in ("in_progress", "committing"):
        raise ToolError(f"{what}, nobody works on it")


def _need_review(task: Task, what: str) -> None:
    """Raise `ToolError` where the plan asks for a review that has not been."""
    kind = execution_of(task).review
    if kind and task.status == "in_progress":
        raise ToolError(
            f"{what} and must be reviewed first; assign_task_review with review_type {kind}, by a "
            "worker that did not do it"
        )


def _need_nothing_to_commit(call: ToolCall, task: Task, what: str) -> None:
    """Raise `ToolError` where an approved task has changes that are not committed.

    Those of a worker that only runs commands stay as they are: it cannot commit. A task that
    hands on files is done with these, committed or not.
    """
    if products.wanted(task):
        return
    look = call.outside.look
    runs_only = task.implementer_id and call.tx.need(Agent, task.implementer_id).provider == BUILTIN
    if look is None or runs_only:
        return
    if look.error is not None:
        raise ToolError(f"{what}, and {look.error}; approve_commit has it committed")
    if look.dirty:
        raise ToolError(
            f"{what}, and changes in {call.workflow.work_dir} are not committed; approve_commit "
            "has its worker commit them"
        )


def fail(call: ToolCall) -> dict[str, Any]:
    """The attempt failed: the task is ready again while it has retries, else it failed.

    Whatever depends on a failed task is skipped, directly or through others.
    """
    task = call.task()
    if task.status not in OPEN_TASK_STATES:
        raise ToolError(f"cannot fail task {task.key}: it is {task.status} already")
    return _fail(call, task, call.args["reason"], again=True)


def _fail(call: ToolCall, task: Task, reason: str, *, again: bool) -> dict[str, Any]:
    tx = call.tx
    payload = {
        "key": task.key,
        "attempt": task.attempt,
        "exit_code": task.exit_code,
        "reason": reason,
    }
    receipts.keep(tx, task, call.outside.look)
    take_from_worker(tx, task, reason)
    if again and retrying.may_follow(task):
        until = retrying.follow(tx, task, reason, payload)
        return {
            "status": "retrying",
            "task_id": task.key,
            "attempt": task.attempt,
            "retries": task.retries,
            "waits_until": until,
        }
    graph.fail(tx, task, reason, payload)
    settled = graph.settle(tx, task)
    questions.note_waiting(tx, task.workflow_id)
    told = {"now_ready": settled.ready} if settled.ready else {}
    return {
        "status": "failed",
        "task_id": task.key,
        "skipped": settled.skipped,
        **told,
        "way_on": "reopen_task, where it is worth another try",
    }
