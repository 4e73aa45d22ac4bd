"""approve_commit: the worker of an approved task commits it."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.people import implementer_of, need_present
from perles.store.schema.tasks import Task
from perles.tasks import receipts, reviews
from perles.tasks.reports import has_report


def handle(call: ToolCall) -> dict[str, Any]:
    """Have it committed; the worker learns of it at its next turn. Raises `ToolError`."""
    task = call.task()
    what = f"cannot approve a commit of task {task.key}"
    implementer = implementer_of(call, task, what)
    if task.status != "approved" and not _went_wrong(task):
        way_on = {
            "in_progress": "assign_task_review has it reviewed first",
            "in_review": "wait for the verdict",
            "denied": "assign_review_feedback has it mended first",
            "committing": "wait for the report of its commit, then mark_task_complete",
            "waiting_for_user": "it was denied too often: the user is asked",
        }.get(task.status, "only a task that a review approved can be committed")
        raise ToolError(f"{what}: it is {task.status}, not approved; {way_on}")
    need_present(implementer, task, what)
    if implementer.provider == BUILTIN:
        raise ToolError(f"{what}: {implementer.name} runs commands only; mark_task_complete")
    reviews.release(
        call.tx,
        task,
        implementer,
        by=call.agent,
        message=call.args.get("commit_message") or "",
        in_repository=call.outside.look is not None,
    )
    receipts.keep(call.tx, task, call.outside.look)
    return {"status": "committing", "task_id": task.key, "implementer_id": implementer.name}


def _went_wrong(task: Task) -> bool:
    """Whether its worker reported that it could not commit: it may try again."""
    return task.status == "committing" and has_report(task) and task.exit_code not in (None, 0)
