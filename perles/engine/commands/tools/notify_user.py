"""notify_user: the coordinator says something to the person."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.store.events import journal


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the notification. A task, where one is named, must exist."""
    task = call.task() if call.args.get("task_id") else None
    journal.append(
        call.tx,
        "user.notification",
        {"text": call.args["message"], "phase": call.args.get("phase")},
        workflow_id=call.workflow.id,
        agent_id=call.agent.id,
        task_id=None if task is None else task.id,
    )
    return {"status": "notified"}
