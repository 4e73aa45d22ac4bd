"""A new agent: its row, its folder and its token."""

from pathlib import Path

from perles.domain.states import AGENT
from perles.engine import queries
from perles.store.database import Tx
from perles.store.schema import Agent, Workflow
from perles.store.transition import fire
from perles.workspace.session import agent_folder, new_token


def add_agent(
    tx: Tx,
    workflow: Workflow,
    name: str,
    role: str,
    session: Path,
    agent_type: str = "",
    *,
    provider: str | None = None,
    model: str | None = None,
) -> Agent:
    """Add an agent with a token and folder of its own, ready for messages.

    Where the workflow retries another one, it goes on with that one's provider session.
    """
    agent_folder(session, name)
    if provider is None:
        provider, model = workflow.provider, workflow.model
    resumed = tx.row(
        queries.SESSION_OF_RETRIED, workflow_id=workflow.id, name=name, provider=provider
    )
    agent_id = tx.insert(
        Agent,
        workflow_id=workflow.id,
        name=name,
        role=role,
        agent_type=agent_type,
        provider=provider,
        model=model,
        status="pending",
        token=new_token(session, name),
        provider_session_id=None if resumed is None else resumed["provider_session_id"],
        session_totals=None if resumed is None else resumed["session_totals"],
    )
    fire(tx, AGENT, agent_id, "spawn", payload={"name": name, "provider": provider, "model": model})
    return tx.need(Agent, agent_id)
