"""What a workflow's start, pause and end change in the database: each in one transaction."""

from pathlib import Path
from typing import Final

from perles.agents import prompts
from perles.domain.clock import seconds_between
from perles.domain.states import (
    AGENT,
    OPEN_TASK_STATES,
    PHASE,
    TASK,
    WORKFLOW,
    WorkflowState,
    WorkflowTrigger,
)
from perles.engine.context import Context
from perles.engine.resources import leases, worker_slots
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.team import observers
from perles.engine.team.spawn import add_agent
from perles.engine.turns import queue
from perles.fabric import channels, inbox, messages
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import ask_user, questions, services
from perles.workspace.session import new_token, session_folder

COUNT_WAITING_FOR: Final = Sql(
    select(func.count())
    .select_from(Workflow)
    .where(
        Workflow.state == "pending",
        Workflow.reason == bindparam("reason"),
        Workflow.id != WORKFLOW_ID,
    )
)


def started(tx: Tx, context: Context, workflow: Workflow, port: int) -> None:
    """Take what a running workflow needs, and start it with its first message."""
    _take_room(tx, context, workflow, port)
    place = Path(workflow.repository or workflow.work_dir)
    session = session_folder(context.paths.sessions_dir(), place, workflow.created_at, workflow.id)
    coordinator = add_agent(tx, workflow, "coordinator", "coordinator", session)
    fire(
        tx,
        WORKFLOW,
        workflow.id,
        "start",
        changes={
            "mcp_port": port,
            "session_dir": context.paths.stored(session),
            "started_at": tx.now,
            "last_heartbeat_at": tx.now,
            "last_progress_at": tx.now,
            "reason": None,
            "start_requested_at": None,
        },
        payload={"port": port},
    )
    channels.begin(tx, coordinator)
    observers.add(tx, workflow, session)
    questions.ask_people(tx, workflow.id)
    body = f"start: work off the tasks of {workflow.name}"
    if workflow.goal:
        told = str(journal.decode(workflow.definition).get("instructions", ""))
        body = prompts.goal(workflow.goal, told)
    messages.post(tx, coordinator, sender="perles", kind="system", body=body)
    if context.conductor.leads(tx, coordinator):  # it needs no process to be ready
        about = {"agent_id": coordinator.id}
        journal.append(tx, "coordinator.ready", {}, workflow_id=workflow.id, **about)


def _take_room(tx: Tx, context: Context, workflow: Workflow, port: int) -> None:
    """Take a place among the workflows that run, and the port. Raises where none is free."""
    ResourceScheduler(context).need_room(workflow, tx)
    limit = context.config.resource_policy.max_workflows_running
    leases.acquire(tx, "workflow", limit, workflow.id)
    leases.acquire_port(tx, port, workflow.id)


def resumed(tx: Tx, context: Context, workflow: Workflow, port: int) -> None:
    """Take what a running workflow needs again, and let its agents go on."""
    _take_room(tx, context, workflow, port)
    worker_slots.take_worker_slots(tx, context.config.resource_policy, workflow.id)
    paused_s = workflow.paused_s + seconds_between(workflow.paused_at or tx.now, tx.now)
    changes = {
        "paused_at": None,
        "paused_s": paused_s,
        "reason": None,
        "mcp_port": port,
        "start_requested_at": None,
        "last_heartbeat_at": tx.now,
        "last_progress_at": tx.now,
    }
    fire(tx, WORKFLOW, workflow.id, "resume", changes=changes, payload={"port": port})
    agents = tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow.id)
    for agent in sorted(agents, key=lambda agent: agent.role == "coordinator"):
        if agent.status == "paused":
            fire(tx, AGENT, agent.id, "resume")
    channels.ensure(tx, workflow.id)
    messages.tell_coordinator(
        tx,
        workflow.id,
        sender="perles",
        kind="system",
        body=f"the workflow was paused at {workflow.paused_at} and goes on now; "
        "turns that were cut off start again",
    )


def renew(tx: Tx, context: Context, workflow_id: str, port: int) -> None:
    """Another port, or the same one after somebody else may have had it: other tokens."""
    _move_port(tx, workflow_id, port)
    session = tx.need(Workflow, workflow_id).session_dir
    for agent in tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id):
        if session is not None and agent.status != "retired":
            tx.update(Agent, agent.id, token=new_token(context.paths.found(session), agent.name))


def _move_port(tx: Tx, workflow_id: str, port: int) -> None:
    for lease in tx.rows(leases.LEASES_OF, workflow_id=workflow_id):
        if lease["kind"] == "port" and lease["value"] == port:
            return
    leases.release_all(tx, workflow_id, keep=frozenset({"workflow", "worker", "ai_call", "limit"}))
    leases.acquire_port(tx, port, workflow_id)
    tx.update(Workflow, workflow_id, mcp_port=port)


def join_line(tx: Tx, workflow_id: str, reason: str) -> None:
    """Keep a workflow in the waiting line, with the reason."""
    workflow = tx.need(Workflow, workflow_id)
    may_wait = workflow.state in (WorkflowState.PENDING, WorkflowState.PAUSED)
    if not may_wait or (workflow.reason == reason and workflow.start_requested_at):
        return
    asked = workflow.start_requested_at or tx.now
    tx.update(Workflow, workflow_id, reason=reason, start_requested_at=asked)
    journal.append(tx, "workflow.queued", {"reason": reason}, workflow_id=workflow_id)
    if "no free port" in reason and not tx.value(
        COUNT_WAITING_FOR, reason=reason, workflow_id=workflow_id
    ):
        payload = {"kind": "port", "reason": reason.removeprefix("waiting: ")}
        journal.append(tx, "resource.exhausted", payload, workflow_id=workflow_id)


def leave_line(tx: Tx, workflow_id: str) -> None:
    """A paused workflow that was told to go on stays paused after all."""
    if tx.need(Workflow, workflow_id).start_requested_at is not None:
        tx.update(Workflow, workflow_id, start_requested_at=None, reason=None)


def paused(tx: Tx, workflow_id: str, reason: str | None) -> None:
    """Pause the workflow and its agents, and release what it held."""
    changes = {"paused_at": tx.now, "reason": reason, "mcp_port": None, "unrecorded": 1}
    fire(tx, WORKFLOW, workflow_id, "pause", changes=changes, payload={"reason": reason})
    for agent in tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id):
        if agent.status in ("ready", "working"):
            fire(tx, AGENT, agent.id, "pause")
    services.paused(tx, workflow_id)
    queue.drop_queued(tx, workflow_id)
    worker_slots.leave_worker_line(tx, workflow_id)
    # A call is released with its process, which may outlive the patience of a pause.
    leases.release_all(tx, workflow_id, keep=frozenset({"ai_call"}))


def ended(tx: Tx, workflow_id: str, trigger: WorkflowTrigger, reason: str | None) -> None:
    """End the workflow by `trigger` with its agents and open tasks, and release what it held."""
    ask_user.close_all(tx, workflow_id, f"the workflow ended ({trigger})")
    changes = {
        "ended_at": tx.now,
        "reason": reason,
        "start_requested_at": None,
        "waiting_for_user": 0,
        "mcp_port": None,
        "unrecorded": 1,
    }
    fire(tx, WORKFLOW, workflow_id, trigger, changes=changes, payload={"reason": reason})
    for agent in tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id):
        if agent.phase != "idle":
            fire(tx, PHASE, agent.id, "cancel")
        if agent.status in ("ready", "working", "paused", "failed"):
            fire(tx, AGENT, agent.id, "stop")
    for task in tx.all(Task, statements.TASKS_OF, workflow_id=workflow_id):
        if task.status in OPEN_TASK_STATES:
            failure = f"the workflow ended ({trigger}) before it was done"
            fire(tx, TASK, task.id, "skip", changes={"failure": failure, "ended_at": tx.now})
    inbox.settle(tx, workflow_id)
    queue.drop_queued(tx, workflow_id)
    worker_slots.leave_worker_line(tx, workflow_id)
    leases.release_all(tx, workflow_id, keep=frozenset({"ai_call"}))


def fail_unstarted(tx: Tx, workflow_id: str, reason: str) -> None:
    """Fail a workflow that can never start."""
    ended(tx, workflow_id, "fail", reason)
