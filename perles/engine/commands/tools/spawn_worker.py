"""spawn_worker: one more worker, as far as the limits allow."""

from typing import Any, Final

from perles.agents.builtin.refusals import NEVER
from perles.domain.errors import PerlesError, ToolError
from perles.domain.provider_choice import AGENT_TYPES, label, split_choice, worker_for
from perles.domain.states import AGENT
from perles.engine.commands.base import ToolCall
from perles.engine.resources import leases, worker_slots
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.team.names import next_name
from perles.engine.team.spawn import add_agent
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import case, func, select
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transition import fire

KINDS_OF_TASKS: Final = Sql(
    select(Task.worker, case((func.length(Task.run) > 0, "a command")).label("run"))
    .where(Task.workflow_id == WORKFLOW_ID)
    .distinct()
)


def handle(call: ToolCall) -> dict[str, Any]:
    """Add worker-N. Raises `ToolError` that names the limit which is reached."""
    tx, workflow = call.tx, call.workflow
    agent_type = call.args.get("agent_type") or ""
    kind = _kind(call, agent_type)
    provider, model = split_choice(kind)
    try:
        call.context.provider(provider, agent_type or "worker", workflow)
    except PerlesError as error:
        raise ToolError(f"{NEVER} a worker of {kind}: {error}") from error
    live = tx.value(statements.COUNT_LIVE_WORKERS, workflow_id=workflow.id)
    if live >= workflow.max_workers and not _make_room(call, kind):
        raise ToolError(
            f"cannot spawn a worker: {live} of {workflow.max_workers} workers of this workflow "
            "live; go on with those"
        )
    policy = call.context.config.resource_policy
    ResourceScheduler(call.context).need_worker_slot(tx, workflow, live)
    session = call.context.paths.found(workflow.session_dir or "")
    worker = add_agent(
        tx,
        workflow,
        next_name(tx, workflow.id, "worker"),
        "worker",
        session,
        agent_type,
        provider=provider,
        model=model,
    )
    leases.acquire(tx, "worker", policy.max_workers, workflow.id, worker.id)
    worker_slots.leave_worker_line(tx, workflow.id)
    return {"worker_id": worker.name, "provider": kind}


def _kind(call: ToolCall, agent_type: str) -> str:
    """The kind of worker that is asked for: that of its type, the workflow's, or a task's."""
    workflow = call.workflow
    default = label(workflow.worker_provider or workflow.provider, workflow.worker_model)
    roles: dict[str, str] = journal.decode(workflow.roles)
    wanted = call.args.get("provider")
    if wanted is None:
        return roles.get(agent_type) or default
    kinds = {default, *(one for role, one in roles.items() if role in AGENT_TYPES)}
    for row in call.tx.rows(KINDS_OF_TASKS, workflow_id=workflow.id):
        kinds.add(
            worker_for(
                run=row["run"], worker=row["worker"], coordinator=workflow.provider, default=default
            )
        )
    if wanted not in kinds:
        raise ToolError(
            f"cannot spawn a worker of {wanted[:80]!r}: this workflow's are "
            f"{', '.join(sorted(kinds))}"
        )
    return str(wanted)


def _make_room(call: ToolCall, kind: str) -> bool:
    """Retire a worker of another kind that has nothing to do; whether there was one."""
    tx = call.tx
    for agent in tx.all(Agent, statements.AGENTS_OF, workflow_id=call.workflow.id):
        live = agent.role == "worker" and agent.status in ("ready", "working")
        busy = agent.phase != "idle" or agent.task_id is not None
        if not live or busy or label(agent.provider, agent.model) == kind:
            continue
        if tx.rows(statements.QUEUED_MESSAGES, agent_id=agent.id):
            continue
        fire(tx, AGENT, agent.id, "retire", changes={"retired_at": tx.now})
        leases.release_agent(tx, agent.id, "worker")
        return True
    return False
