"""assign_review_feedback: a denied task goes back to its worker, with what to change."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.people import implementer_of, need_present
from perles.tasks import reviews


def handle(call: ToolCall) -> dict[str, Any]:
    """Give the task back; its worker learns of it at its next turn. Raises `ToolError`."""
    task = call.task()
    what = f"cannot send feedback on task {task.key}"
    implementer = implementer_of(call, task, what)
    if task.status != "denied":
        way_on = {
            "in_progress": "assign_task_review has it reviewed first",
            "in_review": "wait for the verdict",
            "approved": "it was approved: approve_commit has it committed",
            "waiting_for_user": "it was denied too often: the user is asked",
        }.get(task.status, "only a denied task gets feedback")
        raise ToolError(f"{what}: it is {task.status}; {way_on}")
    need_present(implementer, task, what)
    reviews.rework(call.tx, task, implementer, by=call.agent, text=call.args["feedback"])
    return {"status": "in_progress", "task_id": task.key, "implementer_id": implementer.name}
