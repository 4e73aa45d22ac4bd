"""signal_ready: a worker says that it can take work."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent


def handle(call: ToolCall) -> dict[str, Any]:
    """Record it; the coordinator hears of it only when the worker has no task yet."""
    tx, agent = call.tx, call.agent
    journal.append(tx, "worker.ready", {}, workflow_id=agent.workflow_id, agent_id=agent.id)
    if agent.task_id is None:
        body = f"{agent.name} is ready for a task"
        messages.tell_coordinator(
            tx, agent.workflow_id, sender=agent.name, kind="worker", body=body
        )
        lead = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=agent.workflow_id)
        told = () if lead is None else (lead.id,)
        posts.post(tx, agent.workflow_id, "system", Author.of(agent), body, told=told)
    return {"status": "acknowledged", "worker_id": agent.name}
