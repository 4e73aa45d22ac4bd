"""Turns that wait for an AI call: who may start now, and who stays in the queue."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perles.domain.clock import from_text
from perles.domain.priority import Waiting, choose
from perles.engine.context import Context
from perles.engine.resources import budgets, leases
from perles.engine.resources.ai_calls import give_up, is_ai_call
from perles.engine.resources.scheduler import ResourceScheduler
from perles.executor.contract import TurnFiles
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.resources import Lease
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.workspace.session import turn_output

LAST_TURN_NUMBER: Final = Sql(
    select(func.coalesce(func.max(Turn.number), 0)).where(Turn.agent_id == bindparam("agent_id"))
)
QUEUED_TURNS: Final = Sql(select(Turn.agent_id, Turn.created_at).where(Turn.status == "queued"))
QUEUED_TURNS_OF: Final = Sql(
    select(Turn).where(Turn.workflow_id == WORKFLOW_ID, Turn.status == "queued").order_by(Turn.id)
)
CALLS_BY_WORKFLOW: Final = Sql(
    select(Lease.workflow_id, func.count())
    .where(Lease.kind == "ai_call")
    .group_by(Lease.workflow_id)
)


async def admitted(context: Context, agents: Sequence[Agent]) -> list[Agent]:
    """Those of the agents with messages that can start a turn now; the others are queued."""
    agents = ResourceScheduler(context).with_room(agents)
    if context.placing is not None:
        agents = await context.placing.with_room(agents)
    reader, policy = context.reader, context.config.resource_policy
    ids = {agent.workflow_id for agent in agents}
    workflows = {workflow_id: reader.need(Workflow, workflow_id) for workflow_id in ids}
    calling = [
        agent for agent in agents if is_ai_call(context, agent, workflows[agent.workflow_id])
    ]
    if not calling:
        return list(agents)
    since = {row["agent_id"]: row["created_at"] for row in reader.rows(QUEUED_TURNS)}
    now = context.database.now()
    candidates = [
        Waiting(
            agent.id,
            agent.workflow_id,
            workflows[agent.workflow_id].priority,
            agent.role == "coordinator",
            from_text(since.get(agent.id, now)).timestamp(),
        )
        for agent in calling
        if budgets.room(reader, policy, workflows[agent.workflow_id], agent.role) is not None
    ]
    held = {row[0]: int(row[1]) for row in reader.rows(CALLS_BY_WORKFLOW)}
    chosen = choose(candidates, held, policy.max_ai_calls)
    first = [one.agent_id for one in chosen]
    waits = [agent.id for agent in calling if agent.id not in first and agent.id not in since]
    if waits:
        await context.writer.write(lambda tx: _queue(tx, context, waits))
    plain = [agent for agent in agents if agent not in calling]
    by_id = {agent.id: agent for agent in calling}
    return [*plain, *(by_id[agent_id] for agent_id in first)]


def next_turn(tx: Tx, workflow: Workflow, agent: Agent) -> int:
    """The id of the agent's queued turn: the one that waits, or a new one."""
    waiting = tx.first(Turn, statements.QUEUED_TURN_OF, agent_id=agent.id)
    if waiting is not None:
        return waiting.id
    assert workflow.session_dir is not None
    # As the session is kept, so are its files: relative to the home.
    number = int(tx.value(LAST_TURN_NUMBER, agent_id=agent.id)) + 1
    files = TurnFiles.at(turn_output(Path(workflow.session_dir), agent.name, number))
    return tx.insert(
        Turn,
        workflow_id=workflow.id,
        agent_id=agent.id,
        number=number,
        status="queued",
        prompt="",
        stdout_path=str(files.stdout),
        stderr_path=str(files.stderr),
    )


def _queue(tx: Tx, context: Context, agent_ids: Sequence[int]) -> None:
    """Let these agents wait, if they still have reason to."""
    limit = context.config.resource_policy.max_ai_calls
    used = tx.value(leases.COUNT_LEASES, kind="ai_call")
    reason = f"{used} of {limit} AI calls run"
    if budgets.is_all_used_up(tx, context.config.resource_policy):
        reason = f"the budget of all workflows is used up; {budgets.WAY_ON}"
    elif used < limit:
        reason = "no budget is left for another turn beside the running ones"
    for agent_id in agent_ids:
        agent = tx.need(Agent, agent_id)
        workflow = tx.need(Workflow, agent.workflow_id)
        if agent.status != "ready" or workflow.state != "running":
            continue
        turn_id = next_turn(tx, workflow, agent)
        journal.append(
            tx,
            "turn.queued",
            {"number": tx.need(Turn, turn_id).number, "reason": reason},
            workflow_id=workflow.id,
            agent_id=agent_id,
            turn_id=turn_id,
        )


def drop_queued(tx: Tx, workflow_id: str) -> None:
    """Nothing of this workflow waits for an AI call any more; its messages stay queued."""
    for turn in tx.all(Turn, QUEUED_TURNS_OF, workflow_id=workflow_id):
        give_up(tx, turn)
