"""An agent goes on on another machine. Its session is a file on the old one: it begins anew."""

from __future__ import annotations

from typing import Any, Final

from perles.fabric import messages
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.transaction import Tx
from perles.tasks.handover import handover
from perles.tasks.last_words import last_words

MACHINE: Final = "this machine"


def move(tx: Tx, agent: Agent, node: str | None) -> None:
    """Write that an agent's next turn is on `node`, None for this machine.

    Where it had a session elsewhere it hears what it needs to know, as a successor does.
    """
    changes: dict[str, Any] = {"node": node}
    if agent.provider_session_id is not None:
        why = f"it was on {agent.node or MACHINE}, and goes on on {node or MACHINE}"
        body = handover(tx, agent, why, last_words=last_words(tx, agent))
        messages.post(tx, agent, sender="perles", kind="system", body=body)
        payload = {"from": agent.node, "to": node, "session": agent.provider_session_id}
        journal.append(tx, "agent.moved", payload, workflow_id=agent.workflow_id, agent_id=agent.id)
        fresh = {"provider_session_id": None, "session_totals": None, "context_used": None}
        changes |= fresh
    tx.update(Agent, agent.id, **changes)
