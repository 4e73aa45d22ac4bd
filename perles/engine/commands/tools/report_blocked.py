"""report_blocked: a worker says that it cannot go on."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.report import settle_turn
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.tasks import comments, reports


def handle(call: ToolCall) -> dict[str, Any]:
    """Tell the coordinator; the task stays in the worker's hands. Raises `ToolError`."""
    tx, agent, reason = call.tx, call.agent, call.args["reason"]
    if agent.task_id is None or not reports.has_duty(tx, agent):
        raise ToolError(
            f"cannot report that you are blocked: nothing is asked of you now (your phase is "
            f"{agent.phase}); end your turn"
        )
    task = tx.need(Task, agent.task_id)
    comments.add(tx, task, agent.name, "blocked", reason)
    tx.update(Agent, agent.id, blocked=reason, silences=0)
    journal.append(
        tx,
        "worker.blocked",
        {"key": task.key, "worker": agent.name, "phase": agent.phase, "text": reason},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
        task_id=task.id,
    )
    posts.in_task_thread(tx, task, Author.of(agent), f"cannot go on: {reason}", "error")
    again = "assign_task_review" if agent.phase == "reviewing" else "assign_task"
    body = (
        f"{agent.name} cannot go on with task {task.key} (its phase is {agent.phase}). Answer it "
        f"with send_to_worker, give it to another worker with {again}, or give it up with "
        f"mark_task_failed.\n{reason}"
    )
    messages.tell_coordinator(tx, agent.workflow_id, sender=agent.name, kind="worker", body=body)
    settle_turn(tx, agent)
    return {"status": "blocked", "task_id": task.key, "then": "end your turn: you will be told"}
