"""A new agent: its row, its folder and its token."""

from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, select

from perles.domain.states import AGENT
from perles.store.database import Tx
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transition import fire
from perles.workspace.session import agent_folder, new_token

SESSION_OF_RETRIED: Final = Sql(
    select(Agent.provider_session_id, Agent.session_totals)
    .join(Workflow, Workflow.retried_from == Agent.workflow_id)
    .where(
        Workflow.id == WORKFLOW_ID,
        Agent.name == bindparam("name"),
        Agent.provider == bindparam("provider"),
        Agent.provider_session_id.is_not(None),
    )
)


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
    resumed = tx.row(SESSION_OF_RETRIED, workflow_id=workflow.id, name=name, provider=provider)
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
