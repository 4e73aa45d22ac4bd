"""report_review_verdict: a reviewer has decided."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.report import settle_turn
from perles.store.schema.tasks import Task
from perles.tasks import reviews


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the verdict, tell the coordinator. The reviewer is free for the next task."""
    tx, agent = call.tx, call.agent
    what = "cannot report a verdict"
    if agent.phase != "reviewing" or agent.task_id is None:
        raise ToolError(
            f"{what}: you have no review in hand (your phase is {agent.phase}); a review is "
            "decided once, by the worker that it was given to"
        )
    task = tx.need(Task, agent.task_id)
    if task.reviewer_id != agent.id or task.status != "in_review":
        raise ToolError(f"{what}: task {task.key} is {task.status} and not yours to review")
    reviews.decide(
        tx,
        task,
        agent,
        verdict=call.args["verdict"],
        text=call.args["comments"],
        limit=call.context.config.limits.max_review_rounds,
    )
    settle_turn(tx, agent)
    return {"status": call.args["verdict"].lower(), "task_id": task.key}
