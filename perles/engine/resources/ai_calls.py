"""AI calls: a turn of an AI agent needs a lease from its start to its process's end.

An agent that finds none free waits with a turn in the state `queued`. Its messages
still gather: the prompt is made when the turn starts.
"""

from perles.domain.errors import LimitReachedError, UsageError
from perles.domain.states import TURN
from perles.engine.context import Context
from perles.engine.resources import budgets, known_costs, leases, worker_slots
from perles.store import waiting_line
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import named_limits


def held_back(context: Context, reader: Reader) -> list[str]:
    """The providers of waiting workflows that cannot run while the budget of all is used up.

    Of their coordinators, and of the workers that their tasks are for. Workflows whose
    agents cost nothing pass them in the line.
    """
    if not budgets.is_all_used_up(reader, context.policy()):
        return []
    names = [row["provider"] for row in reader.rows(waiting_line.WAITING_PROVIDERS)]
    return [name for name in names if costs(context, name)]


def spends(context: Context, reader: Reader, workflow: Workflow) -> bool:
    """Whether the workflow's coordinator, or a worker that an open task of it is for, costs."""
    rows = reader.rows(waiting_line.WORKER_PROVIDERS, workflow_id=workflow.id)
    return any(
        costs(context, name, workflow=workflow)
        for name in (workflow.provider, *(row[0] for row in rows))
    )


def costs(
    context: Context, provider: str, role: str = "", workflow: Workflow | None = None
) -> bool:
    """Whether a turn of this provider is an AI call."""
    try:
        return context.provider(provider, role, workflow).is_ai_call
    except UsageError:
        return False  # its start says what is wrong with it


def is_ai_call(context: Context, agent: Agent, workflow: Workflow) -> bool:
    """Whether a turn of this agent is an AI call."""
    return costs(context, agent.provider, agent.agent_type or agent.role, workflow)


def take(tx: Tx, context: Context, workflow: Workflow, agent: Agent) -> budgets.Reservation | None:
    """What the turn that starts now may use, its leases taken; None when it must wait."""
    policy = context.config.resource_policy
    if agent.task_id is not None and named_limits.take(tx, tx.need(Task, agent.task_id)):
        return None  # it was paused, and others have them now
    try:
        if worker_slots.takes_slot(agent) and not leases.holds(tx, agent.id, "worker"):
            leases.acquire(tx, "worker", policy.max_workers, workflow.id, agent.id)
        provider = context.provider_of(agent, workflow)
        if not provider.is_ai_call:
            return budgets.NOTHING
        if budgets.has_money(policy, workflow) and (
            why := known_costs.blind_spot_of(tx, agent, provider, policy)
        ):
            budgets.pause_blind(tx, workflow, why)
            return None
        reserved = budgets.room(tx, policy, workflow, agent.role)
        if reserved is not None:
            leases.acquire(tx, "ai_call", policy.max_ai_calls, workflow.id, agent.id)
    except LimitReachedError:
        return None
    return reserved


def give_up(tx: Tx, turn: Turn) -> None:
    """A queued turn is waited for no longer."""
    fire(tx, TURN, turn.id, "interrupt", changes={"ended_at": tx.now})
