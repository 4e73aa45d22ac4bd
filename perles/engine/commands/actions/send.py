"""send: a person's message is queued for an agent."""

from typing import Any

from perles.domain.errors import PerlesError, WrongStateError
from perles.domain.states import WORKFLOW
from perles.engine.commands.base import agent_named, once, origin_of
from perles.engine.context import Context
from perles.fabric import messages
from perles.store.database import Tx
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow


async def send(context: Context, command: Command, args: dict[str, Any]) -> dict[str, Any]:
    """Queue the message. Raises `NotFoundError`, and `WrongStateError` when nobody will read it."""
    workflow_id = command.workflow_id or ""
    return await once(context, command, lambda tx: _queue(tx, workflow_id, args, command))


def _queue(tx: Tx, workflow_id: str, args: dict[str, Any], command: Command) -> dict[str, Any]:
    workflow = tx.need(Workflow, workflow_id)
    if workflow.state in WORKFLOW.terminal:
        raise WrongStateError("workflow", workflow_id, workflow.state, "send to")
    found = agent_named(tx, workflow_id, args["to"])
    to = found.name
    if found.retired_at is not None:
        raise PerlesError(f"cannot send to {to}: it is retired; send to the coordinator")
    sender, kind = _sender(command)
    messages.post(tx, found, sender=sender, kind=kind, body=args["text"])
    return {"status": "sent", "sent": to, "agent": found.status}


def _sender(command: Command) -> tuple[str, str]:
    """Who speaks: the person, or the agent that made this workflow, in its own name."""
    by = origin_of(command)
    if command.source != "agent" or by is None:
        return "user", "user"
    return f"{by['agent']} of {by['workflow']}", "worker"
