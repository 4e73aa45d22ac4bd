"""A new agent: its row, its folder and its token."""

from pathlib import Path
from typing import Final

from perles.domain.states import AGENT
from perles.store.expressions import aliased, bindparam, exists, select
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.workspace.session import agent_folder, new_token

_TAKEN = aliased(Agent)
_NAMESAKE: Final = Agent.name == bindparam("name")
_UNFINISHED: Final = exists().where(
    Task.implementer_id == Agent.id, Task.status.not_in(("done", "skipped"))
)
SESSION_OF_RETRIED: Final = Sql(
    select(Agent.provider_session_id, Agent.session_totals)
    .join(Workflow, Workflow.retried_from == Agent.workflow_id)
    .where(
        Workflow.id == WORKFLOW_ID,
        Agent.role == bindparam("role"),
        Agent.provider == bindparam("provider"),
        Agent.provider_session_id.is_not(None),
        Agent.retired_at.is_(None),
        ~exists().where(
            _TAKEN.workflow_id == Workflow.id,
            _TAKEN.provider_session_id == Agent.provider_session_id,
        ),
    )
    .order_by(_NAMESAKE.desc(), _UNFINISHED.desc(), Agent.id.desc())
    .limit(1)
)
"""The session that an agent of a retry goes on with. Its namesake's, where that had the same
provider: names are given in another order where some tasks are done already. Else that of the one
who had not finished; no session twice, and none of an agent that was replaced."""


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
    about = {"workflow_id": workflow.id, "name": name, "role": role, "provider": provider}
    resumed = tx.row(SESSION_OF_RETRIED, **about)
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
