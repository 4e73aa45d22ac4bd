"""assign_task_review: another worker looks at a task that was reported on."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.domain.states import GONE_AGENTS
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.people import implementer_of, need_free
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.tasks import attempts, reviews
from perles.tasks.reports import has_report


def handle(call: ToolCall) -> dict[str, Any]:
    """Give the review to the reviewer; it learns of it at its next turn. Raises `ToolError`."""
    tx, task = call.tx, call.task()
    what = f"cannot have task {task.key} reviewed"
    implementer = implementer_of(call, task, what)
    _need_reviewable(call, task, what)
    if task.status == "in_review":
        attempts.free_reviewer(tx, task)
    reviewer = call.worker("reviewer_id")  # who may be the one that was freed
    if reviewer.id == implementer.id:
        raise ToolError(f"{what} by {reviewer.name}: it is the task's own worker; choose another")
    need_free(reviewer, f"{what} by {reviewer.name}")
    provider = call.context.provider(reviewer.provider, reviewer.role, call.workflow)
    if reviewer.provider == BUILTIN or not provider.has_mcp:
        raise ToolError(
            f"{what} by {reviewer.name}: a worker of {reviewer.provider} has no tool to decide with"
        )
    kind = call.args.get("review_type") or "complex"
    note = call.args["summary"]
    reviews.begin(tx, task, reviewer, by=call.agent, note=note, review_type=kind)
    return {"status": "in_review", "task_id": task.key, "reviewer_id": reviewer.name}


def _need_reviewable(call: ToolCall, task: Task, what: str) -> None:
    """Raise `ToolError` unless the task waits for a review, or its reviewer is gone."""
    if task.status == "in_review":
        if task.reviewer_id is None:
            return
        found = call.tx.need(Agent, task.reviewer_id)
        if found.status in GONE_AGENTS or found.task_id != task.id or found.blocked is not None:
            return
        raise ToolError(f"{what}: {found.name} reviews it; wait for its verdict")
    if task.status == "in_progress" and has_report(task):
        return
    way_on = {
        "in_progress": f"{task.assignee} has not reported on it yet; wait for its report",
        "denied": "its last review denied it; assign_review_feedback, then wait for the report",
        "approved": "approve_commit has it committed",
        "committing": "wait for the report of its commit, then mark_task_complete",
    }.get(task.status, "only a task that was reported on can be")
    raise ToolError(f"{what}: it is {task.status}; {way_on}")
