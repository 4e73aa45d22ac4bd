"""Messages: text that waits for an agent until a turn carries it there."""

from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent, Message
from perles.store.transaction import Tx


def post(
    tx: Tx, agent: Agent, *, sender: str, kind: str, body: str, task_id: int | None = None
) -> int:
    """Queue `body` for an agent; the message's id. Delivered at the agent's next turn.

    `task_id` is the task that it gives to the agent, where it gives one.
    """
    message_id = tx.insert(
        Message,
        agent_id=agent.id,
        sender=sender,
        sender_kind=kind,
        body=body,
        status="queued",
        task_id=task_id,
    )
    journal.append(
        tx,
        f"{agent.role}.incoming",
        {"from": sender, "kind": kind, "text": body, "message": message_id},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
    )
    return message_id


def drop(tx: Tx, message_id: int) -> None:
    """Nobody is to read this message any more."""
    tx.update(Message, message_id, status="done")


def tell_coordinator(tx: Tx, workflow_id: str, *, sender: str, kind: str, body: str) -> None:
    """Queue `body` for the workflow's coordinator, if it has one now."""
    coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=workflow_id)
    if coordinator is not None:
        post(tx, coordinator, sender=sender, kind=kind, body=body)
