"""send_to_worker: the coordinator says something to a worker, which reads it at its next turn."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.engine.commands.base import ToolCall
from perles.fabric import messages


def handle(call: ToolCall) -> dict[str, Any]:
    """Queue the message. Raises `ToolError` for one that nobody would read."""
    worker = call.worker()
    if worker.status == "retired":
        raise ToolError(
            f"cannot send to {worker.name}: it is retired; query_worker_state shows who is not"
        )
    if worker.provider == BUILTIN:
        raise ToolError(
            f"cannot send to {worker.name}: it only runs commands; put what it needs into its task"
        )
    body = call.args["message"]
    messages.post(call.tx, worker, sender=call.agent.name, kind="coordinator", body=body)
    done = {"status": "sent", "worker_id": worker.name}
    if worker.status in ("stopped", "failed"):
        done["note"] = f"it is {worker.status}: it reads this when it goes on, or its successor"
    return done
