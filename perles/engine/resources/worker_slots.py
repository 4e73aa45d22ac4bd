"""Slots of workers: taken, waited for, and offered to the coordinator whose workflow is next."""

from collections.abc import Sequence
from typing import Final

from perles.config.model import ResourcePolicy
from perles.domain.clock import from_text
from perles.domain.errors import LimitReachedError, NoWorkerSlotError
from perles.domain.priority import rank as rank_of
from perles.domain.services import AGENT_TYPE
from perles.engine.resources import leases
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import exists, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Message
from perles.store.schema.resources import Lease
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx

WAIT_FOR_WORKER: Final = Sql(
    select(Workflow).where(Workflow.state == "running", Workflow.worker_requested_at.is_not(None))
)
WORKERS_WITHOUT_SLOT: Final = Sql(
    select(Agent.id)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Workflow.state == "running",
        Agent.role == "worker",
        Agent.agent_type != AGENT_TYPE,
        Agent.status == "ready",
        exists().where(Message.agent_id == Agent.id, Message.status == "queued"),
        ~exists().where(Lease.agent_id == Agent.id, Lease.kind == "worker"),
    )
    .order_by(Workflow.priority.desc(), Agent.id)
)


def takes_slot(agent: Agent) -> bool:
    """Whether it takes one: a service does not, or it could keep out the tasks that need it."""
    return agent.role == "worker" and agent.agent_type != AGENT_TYPE


def take_worker_slots(tx: Tx, policy: ResourcePolicy, workflow_id: str) -> None:
    """Take the slots of paused workers again, as far as there are any: those at work first.

    Who gets none now gets one before its next turn.
    """
    agents = tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id)
    paused = [agent for agent in agents if takes_slot(agent) and agent.status == "paused"]
    for worker in sorted(paused, key=lambda worker: worker.task_id is None):
        try:
            leases.acquire(tx, "worker", policy.max_workers, workflow_id, worker.id)
        except LimitReachedError:
            return


def with_slots(reader: Reader, policy: ResourcePolicy, agents: Sequence[Agent]) -> list[Agent]:
    """Those of the agents that can have a turn: workers that hold a slot, or for whom one is free.

    After a pause a worker may have none.
    """
    without = [row[0] for row in reader.rows(WORKERS_WITHOUT_SLOT)]
    if not without:
        return list(agents)
    free = policy.max_workers - int(reader.value(leases.COUNT_LEASES, kind="worker"))
    waits = without[max(0, free) :]
    return [agent for agent in agents if agent.id not in waits]


def need_worker_slot(tx: Tx, policy: ResourcePolicy, workflow: Workflow, live: int) -> None:
    """Raise `NoWorkerSlotError` unless a worker slot is free for this workflow now.

    Free slots are kept for workers that had one before a pause, and for workflows that
    have no worker at all and wait for one.
    """
    used = int(tx.value(leases.COUNT_LEASES, kind="worker"))
    limit = policy.max_workers
    line = [one.id for one in worker_line(tx)]
    before = line.index(workflow.id) if workflow.id in line else len(line)
    before += len(tx.rows(WORKERS_WITHOUT_SLOT))
    if limit - used > before:
        return
    kept = f", {before} kept for others that wait" if used < limit else ""
    way_on = "go on with those you have" if live else "end your turn: you are told when one is free"
    raise NoWorkerSlotError(
        f"cannot spawn a worker: {used} of {limit} workers live{kept}; {way_on}", waits=not live
    )


def worker_line(reader: Reader) -> list[Workflow]:
    """The running workflows that have no worker and wait for a slot, the next one first."""

    def place(workflow: Workflow) -> tuple[float, str]:
        asked = from_text(str(workflow.worker_requested_at)).timestamp()
        return (rank_of(asked, workflow.priority), workflow.id)

    return sorted(reader.all(Workflow, WAIT_FOR_WORKER), key=place)


def ask_for_worker(tx: Tx, workflow_id: str, reason: str) -> None:
    """Put a workflow without workers in line for a slot; it keeps the place that it has."""
    workflow = tx.need(Workflow, workflow_id)
    if workflow.worker_requested_at is None:
        payload = {"kind": "worker", "reason": reason}
        journal.append(tx, "resource.exhausted", payload, workflow_id=workflow_id)
    asked = workflow.worker_requested_at or tx.now
    tx.update(Workflow, workflow_id, worker_requested_at=asked, worker_offered_at=None)


def leave_worker_line(tx: Tx, workflow_id: str) -> None:
    """The workflow got its worker, or wants none any more."""
    if tx.need(Workflow, workflow_id).worker_requested_at is not None:
        tx.update(Workflow, workflow_id, worker_requested_at=None, worker_offered_at=None)


def offers_due(reader: Reader, policy: ResourcePolicy) -> list[Workflow]:
    """The workflows to tell that a worker slot is free for them."""
    line = worker_line(reader)
    if not line:
        return []
    free = policy.max_workers - int(reader.value(leases.COUNT_LEASES, kind="worker"))
    free -= len(reader.rows(WORKERS_WITHOUT_SLOT))
    return [one for one in line[: max(0, free)] if one.worker_offered_at is None]


def offer_workers(tx: Tx, policy: ResourcePolicy) -> None:
    """Tell coordinators that wait for a worker slot that one is free."""
    for workflow in offers_due(tx, policy):
        tx.update(Workflow, workflow.id, worker_offered_at=tx.now)
        body = "a worker slot is free: spawn_worker works now"
        messages.tell_coordinator(tx, workflow.id, sender="perles", kind="system", body=body)


def settle_offer(tx: Tx, coordinator: Agent) -> None:
    """A coordinator's turn has ended: an offer that it saw and did not take is for others."""
    workflow = tx.need(Workflow, coordinator.workflow_id)
    if workflow.worker_offered_at is None:
        return
    if not tx.rows(statements.QUEUED_MESSAGES, agent_id=coordinator.id):
        leave_worker_line(tx, workflow.id)
