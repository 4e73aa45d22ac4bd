"""Observers: agents that look on. None takes a worker's slot, and nothing waits for one."""

from pathlib import Path
from typing import Final

from perles.domain.provider_choice import split_choice
from perles.engine.team.spawn import add_agent
from perles.fabric import channels
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

ROLE: Final = "observer"


def add(tx: Tx, workflow: Workflow, session: Path) -> None:
    """Add the observer of a workflow that is to have one; it begins when it is asked something."""
    choice = journal.decode(workflow.roles).get(ROLE)
    if choice is None:
        return
    provider, model = split_choice(choice)
    observer = add_agent(tx, workflow, ROLE, ROLE, session, provider=provider, model=model)
    channels.subscribe(tx, observer, ROLE, "all")


def tell_of_failure(tx: Tx, agent: Agent, error: str) -> None:
    """The person is told; the workflow goes on without it."""
    text = (
        f"{agent.name} failed: {error}; the workflow goes on. To have one again: "
        f"perles agent replace {agent.workflow_id} {ROLE}"
    )
    journal.append(
        tx,
        "user.notification",
        {"text": text, "phase": None},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
    )
