"""AI calls: a turn of an AI agent needs a lease from its start to its process's end.

An agent that finds none free waits with a turn in the state `queued`. Its messages
still gather: the prompt is made when the turn starts.
"""

from collections.abc import Sequence
from pathlib import Path

from perles.agents.process import TurnFiles
from perles.domain.clock import from_text
from perles.domain.errors import LimitReachedError, UsageError
from perles.domain.priority import Waiting, choose
from perles.domain.states import TURN
from perles.engine import budget, queries, scheduler
from perles.engine.admission import with_slots
from perles.engine.context import Context
from perles.store import journal
from perles.store.database import Reader, Tx
from perles.store.schema import Agent, Turn, Workflow
from perles.store.transition import fire
from perles.workspace.session import turn_output


async def admitted(context: Context, agents: Sequence[Agent]) -> list[Agent]:
    """Those of the agents with messages that can start a turn now; the others are queued."""
    agents = with_slots(context.reader, context.config.resource_policy, agents)
    reader, policy = context.reader, context.config.resource_policy
    ids = {agent.workflow_id for agent in agents}
    workflows = {workflow_id: reader.need(Workflow, workflow_id) for workflow_id in ids}
    calling = [
        agent
        for agent in agents
        if _costs(context, agent.provider, agent.role, workflows[agent.workflow_id])
    ]
    if not calling:
        return list(agents)
    since = {row["agent_id"]: row["created_at"] for row in reader.rows(queries.QUEUED_TURNS)}
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
        if budget.room(reader, policy, workflows[agent.workflow_id], agent.role) is not None
    ]
    held = {row[0]: int(row[1]) for row in reader.rows(queries.CALLS_BY_WORKFLOW)}
    chosen = choose(candidates, held, policy.max_ai_calls)
    first = [one.agent_id for one in chosen]
    waits = [agent.id for agent in calling if agent.id not in first and agent.id not in since]
    if waits:
        await context.writer.write(lambda tx: _queue(tx, context, waits))
    plain = [agent for agent in agents if agent not in calling]
    by_id = {agent.id: agent for agent in calling}
    return [*plain, *(by_id[agent_id] for agent_id in first)]


def held_back(context: Context, reader: Reader) -> list[str]:
    """The providers of waiting workflows that cannot run while the budget of all is used up.

    Of their coordinators, and of the workers that their tasks are for. Workflows whose
    agents cost nothing pass them in the line.
    """
    if not budget.is_all_used_up(reader, context.policy()):
        return []
    names = [row["provider"] for row in reader.rows(queries.WAITING_PROVIDERS)]
    return [name for name in names if _costs(context, name)]


def spends(context: Context, reader: Reader, workflow: Workflow) -> bool:
    """Whether the workflow's coordinator, or a worker that an open task of it is for, costs."""
    rows = reader.rows(queries.WORKER_PROVIDERS, workflow_id=workflow.id)
    return any(
        _costs(context, name, workflow=workflow)
        for name in (workflow.provider, *(row[0] for row in rows))
    )


def _costs(
    context: Context, provider: str, role: str = "", workflow: Workflow | None = None
) -> bool:
    try:
        return context.provider(provider, role, workflow).is_ai_call
    except UsageError:
        return False  # its start says what is wrong with it


def take(tx: Tx, context: Context, workflow: Workflow, agent: Agent) -> budget.Reservation | None:
    """What the turn that starts now may use, its leases taken; None when it must wait."""
    policy = context.config.resource_policy
    try:
        if agent.role == "worker" and not scheduler.holds(tx, agent.id, "worker"):
            scheduler.acquire(tx, "worker", policy.max_workers, workflow.id, agent.id)
        if not context.provider(agent.provider, agent.role, workflow).is_ai_call:
            return budget.NOTHING
        reserved = budget.room(tx, policy, workflow, agent.role)
        if reserved is not None:
            scheduler.acquire(tx, "ai_call", policy.max_ai_calls, workflow.id, agent.id)
    except LimitReachedError:
        return None
    return reserved


def next_turn(tx: Tx, workflow: Workflow, agent: Agent) -> int:
    """The id of the agent's queued turn: the one that waits, or a new one."""
    waiting = tx.first(Turn, queries.QUEUED_TURN_OF, agent_id=agent.id)
    if waiting is not None:
        return waiting.id
    assert workflow.session_dir is not None
    # As the session is kept, so are its files: relative to the home.
    number = int(tx.value(queries.LAST_TURN_NUMBER, agent_id=agent.id)) + 1
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
    used = tx.value(queries.COUNT_LEASES, kind="ai_call")
    reason = f"{used} of {limit} AI calls run"
    if budget.is_all_used_up(tx, context.config.resource_policy):
        reason = f"the budget of all workflows is used up; {budget.WAY_ON}"
    elif used < limit:
        reason = "no budget is left for another turn beside those that run"
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
    for turn in tx.all(Turn, queries.QUEUED_TURNS_OF, workflow_id=workflow_id):
        give_up(tx, turn)


def give_up(tx: Tx, turn: Turn) -> None:
    """A queued turn is waited for no longer."""
    fire(tx, TURN, turn.id, "interrupt", changes={"ended_at": tx.now})
