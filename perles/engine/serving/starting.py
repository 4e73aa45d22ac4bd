"""Gives a service to an agent of its own: it takes no worker, and no worker's slot."""

from perles.agents.provider import Provider
from perles.domain.provider_choice import BUILTIN
from perles.domain.services import AGENT_TYPE, agent_name
from perles.domain.states import AGENT
from perles.engine.context import Context
from perles.engine.team.spawn import add_agent
from perles.fabric import messages
from perles.store import statements
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import attempts, named_limits, services
from perles.tasks.briefs import task_brief


def begin(tx: Tx, context: Context, task_id: int) -> None:
    """Give the service to its agent, which starts it at its next turn."""
    task = tx.need(Task, task_id)
    workflow = tx.need(Workflow, task.workflow_id)
    if task.status != "ready" or workflow.state != "running":
        return
    agent = _agent(tx, context, workflow, task)
    if agent is None or named_limits.take(tx, task) is not None:
        return
    attempts.begin(tx, task, agent, serving_since=None)
    brief = task_brief(tx, task, attempt=task.attempt + 1)
    provider: Provider = context.provider_of(agent, workflow)
    body = provider.task_message(brief)
    messages.post(tx, agent, sender="perles", kind="coordinator", body=body, task_id=task.id)


def refuse(tx: Tx, task_id: int, reason: str) -> None:
    """The attempt has failed before anything was started."""
    task = tx.need(Task, task_id)
    if task.status == "ready":
        attempts.begin(tx, task, None, serving_since=None)
        services.fail(tx, tx.need(Task, task_id), reason)


def _agent(tx: Tx, context: Context, workflow: Workflow, task: Task) -> Agent | None:
    """The agent of the service, ready for a turn; None where it is not yet, or was stopped."""
    name = agent_name(task.key)
    found = tx.first(Agent, statements.AGENT_NAMED, workflow_id=workflow.id, name=name)
    if found is not None and found.status == "retired":
        name = f"{name}-{task.attempt + 1}"
        found = tx.first(Agent, statements.AGENT_NAMED, workflow_id=workflow.id, name=name)
    if found is None:
        session = context.paths.found(workflow.session_dir or "")
        return add_agent(tx, workflow, name, "worker", session, AGENT_TYPE, provider=BUILTIN)
    if found.status == "failed":
        fire(tx, AGENT, found.id, "retry")
        return tx.need(Agent, found.id)
    return found if found.status == "ready" and found.task_id is None else None
