"""Known costs: a budget in USD holds only for agents whose turns' cost is known."""

from perles.agents.pricing import blind_spot
from perles.agents.provider import Provider
from perles.config.model import ResourcePolicy
from perles.domain.errors import UsageError
from perles.domain.provider_choice import BUILTIN
from perles.domain.states import OPEN_TASK_STATES
from perles.engine.context import Context
from perles.store import statements, usage
from perles.store.events.journal import decode
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow


def blind_spot_of(
    reader: Reader, agent: Agent, provider: Provider, policy: ResourcePolicy
) -> str | None:
    """Why the cost of the agent's next turn will not be known; None where it will."""
    told_none = _told_none(reader, agent)
    return blind_spot(provider, agent.model, policy.prices, told_none=told_none)


def _told_none(reader: Reader, agent: Agent) -> bool:
    """Whether turns of the agent used tokens and told no cost, though they came to their end.

    Many CLIs tell the cost as the last thing they do: a turn that was cut off says nothing of it.
    """
    if not agent.tokens_in + agent.tokens_out or agent.cost_usd:
        return False
    return bool(reader.rows(usage.ENDED_BY_ITSELF, agent_id=agent.id))


def need(context: Context, reader: Reader, workflow: Workflow) -> None:
    """Raise `UsageError` where a budget in USD could not be kept for what the workflow has left.

    That is as at its creation; and by what its agents told so far.
    """
    from perles.workflows.roles import Staff, check_money  # most workflows have no such budget

    policy = context.policy()
    tasks = reader.all(Task, statements.TASKS_OF, workflow_id=workflow.id)
    staff = Staff(
        workflow.provider,
        workflow.model,
        workflow.worker_provider or workflow.provider,
        workflow.worker_model,
        decode(workflow.roles),
    )
    check_money(
        staff,
        [task for task in tasks if task.status in OPEN_TASK_STATES],
        lambda name, role: context.provider(name, role, workflow),
        policy.prices,
    )
    for agent in reader.all(Agent, statements.AGENTS_OF, workflow_id=workflow.id):
        is_done = workflow.provider == BUILTIN and agent.task_id is None
        if agent.status != "retired" and not is_done:
            why = blind_spot_of(reader, agent, context.provider_of(agent, workflow), policy)
            if why is not None:
                raise UsageError(f"cannot keep a cost budget: {agent.name}: {why}")
