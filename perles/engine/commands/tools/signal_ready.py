"""signal_ready: a worker says that it can take work."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.fabric import messages
from perles.store.events import journal


def handle(call: ToolCall) -> dict[str, Any]:
    """Record it; the coordinator hears of it only when the worker has no task yet."""
    tx, agent = call.tx, call.agent
    journal.append(tx, "worker.ready", {}, workflow_id=agent.workflow_id, agent_id=agent.id)
    if agent.task_id is None:
        body = f"{agent.name} is ready for a task"
        messages.tell_coordinator(
            tx, agent.workflow_id, sender=agent.name, kind="worker", body=body
        )
    return {"status": "acknowledged", "worker_id": agent.name}
