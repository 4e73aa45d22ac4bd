"""send: a person's message is queued for an agent."""

from typing import Any

from perles.domain.errors import NotFoundError, PerlesError, WrongStateError
from perles.domain.states import WORKFLOW
from perles.engine import mail, queries
from perles.engine.context import Context
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent, Command, Workflow


async def send(context: Context, command: Command, args: dict[str, Any]) -> dict[str, Any]:
    """Queue the message. Raises `NotFoundError`, and `WrongStateError` when nobody will read it."""
    workflow_id = command.workflow_id or ""
    return await context.writer.write(lambda tx: _queue(tx, workflow_id, args, command.id))


def _queue(tx: Tx, workflow_id: str, args: dict[str, Any], command_id: int) -> dict[str, Any]:
    workflow = tx.need(Workflow, workflow_id)
    if workflow.state in WORKFLOW.terminal:
        raise WrongStateError("workflow", workflow_id, workflow.state, "send to")
    agents = tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow_id)
    to = args["to"]
    found = next((agent for agent in agents if agent.name == to), None)
    if found is None:
        known = ", ".join(agent.name for agent in agents) or "none yet: the workflow has not begun"
        raise NotFoundError("agent", to, f"the agents of {workflow_id}: {known}")
    if found.retired_at is not None or found.status in ("stopped", "retired"):
        raise PerlesError(f"cannot send to {to}: it is {found.status}; send to the coordinator")
    if journal.decode(tx.need(Command, command_id).result).get("sent") is None:
        # Marked in the same transaction: an engine that dies right after sends it once.
        tx.update(Command, command_id, result=journal.encode({"sent": to}))
        mail.post(tx, found, sender="user", kind="user", body=args["text"])
    return {"status": "sent", "sent": to, "agent": found.status}
