"""Has coordinators tried again whose turn failed."""

from datetime import timedelta
from typing import Final

from perles.domain.clock import to_text
from perles.domain.states import AGENT
from perles.engine.context import Context
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire

RETRY_AFTER: Final = 1.0
"""Seconds before a failed coordinator gets its messages again."""

_FAILED: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Workflow.state == "running",
        Agent.role == "coordinator",
        Agent.status == "failed",
        # One that failed in the future did so before the clock was set back.
        (Agent.updated_at < bindparam("before")) | (Agent.updated_at > bindparam("now")),
    )
)


async def look(context: Context) -> None:
    """Look once."""
    now = context.database.clock.now()
    due = to_text(now - timedelta(seconds=RETRY_AFTER))
    if context.reader.row(_FAILED, before=due, now=to_text(now)) is not None:
        await context.writer.write(lambda tx: _retry(tx, due))


def _retry(tx: Tx, due_before: str) -> None:
    """Make coordinators ready again that failed before then."""
    for agent in tx.all(Agent, _FAILED, before=due_before, now=tx.now):
        fire(tx, AGENT, agent.id, "retry", payload={"failures": agent.failures})
