"""send: a person's message is queued for an agent."""

from typing import Any

from perles.domain.commands import Send
from perles.domain.errors import PerlesError
from perles.engine.commands.base import agent_named, once, origin_of
from perles.engine.context import Context
from perles.fabric import messages
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


async def send(context: Context, command: Command, asked: Send) -> dict[str, Any]:
    """Queue the message. Raises `NotFoundError`, and `WrongStateError` when nobody will read it."""
    workflow_id = command.workflow_id or ""
    return await once(context, command, lambda tx: _queue(tx, workflow_id, asked, command))


def _queue(tx: Tx, workflow_id: str, asked: Send, command: Command) -> dict[str, Any]:
    workflow = tx.need(Workflow, workflow_id)
    asked.check_state(workflow.state, workflow_id)
    found = agent_named(tx, workflow_id, asked.to)
    to = found.name
    if found.retired_at is not None:
        raise PerlesError(f"cannot send to {to}: it is retired; send to the coordinator")
    sender, kind = sender_of(command)
    messages.post(tx, found, sender=sender, kind=kind, body=asked.text)
    return {"status": "sent", "sent": to, "agent": found.status}


def sender_of(command: Command) -> tuple[str, str]:
    """Who speaks: the person, or the agent that made this workflow, in its own name."""
    by = origin_of(command)
    if command.source != "agent" or by is None:
        return "user", "user"
    return f"{by['agent']} of {by['workflow']}", "worker"
