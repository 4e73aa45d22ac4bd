"""Who is next for a workflow slot and for a worker slot, in the order of `domain.priority`."""

import json
from collections.abc import Sequence
from typing import Any

from perles.config import ResourcePolicy
from perles.domain.clock import from_text
from perles.domain.errors import LimitReachedError, NoWorkerSlotError
from perles.domain.priority import rank as rank_of
from perles.engine import mail, queries, scheduler
from perles.store import journal
from perles.store.database import Reader, Tx
from perles.store.schema import Agent, Workflow


def need_slot(
    reader: Reader, policy: ResourcePolicy, workflow: Workflow, held: Sequence[str] = ()
) -> None:
    """Raise `LimitReachedError` unless a slot is free for this workflow now.

    One that waits in line needs room for those before it too; one that was never
    asked to wait (`--no-wait`) needs room for all that wait. Those of providers that
    are `held` back do not count.
    """
    limit = policy.max_workflows_running
    used = int(reader.value(queries.COUNT_LEASES, kind="workflow"))
    if used >= limit:
        raise LimitReachedError(f"{used} of {limit} workflows run")
    rank = float("inf")
    if workflow.start_requested_at is not None:
        rank = reader.value(queries.RANK_OF, workflow_id=workflow.id)
    values = {"rank": rank, "workflow_id": workflow.id, "most": limit, **_passed(held)}
    values["worker_slot"] = _has_worker_slot(reader, policy)
    ahead = int(reader.value(queries.COUNT_AHEAD, **values))
    if used + ahead >= limit:  # those before it take what is free, in this very moment
        raise LimitReachedError(f"{limit} of {limit} workflows run")


def first_in_line(
    reader: Reader, policy: ResourcePolicy, most: int, held: Sequence[str]
) -> tuple[list[Workflow], list[Workflow]]:
    """Who may be next for so many slots; and the first of those that these pass in the line.

    Passed are those of providers that are `held` back, and those that are paused and
    have workers, where no worker slot is free.
    """
    values = {"worker_slot": _has_worker_slot(reader, policy), **_passed(held)}
    line = reader.all(Workflow, queries.WAITING_WORKFLOWS, most=most, **values)
    ids = {workflow.id for workflow in line}
    first = reader.all(Workflow, queries.WAITING_WORKFLOWS, most=most)
    return line, [workflow for workflow in first if workflow.id not in ids]


def _passed(held: Sequence[str]) -> dict[str, Any]:
    return {"held": json.dumps(list(held))}


def _has_worker_slot(reader: Reader, policy: ResourcePolicy) -> int:
    return int(reader.value(queries.COUNT_LEASES, kind="worker") < policy.max_workers)


def need_slot_of_paused(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> None:
    """Raise `LimitReachedError` where a workflow had workers, and no slot is free for one now."""
    if not reader.value(queries.HAS_PAUSED_WORKERS, workflow_id=workflow.id):
        return
    if not _has_worker_slot(reader, policy):
        used = reader.value(queries.COUNT_LEASES, kind="worker")
        raise LimitReachedError(f"{used} of {policy.max_workers} workers live")


def take_worker_slots(tx: Tx, policy: ResourcePolicy, workflow_id: str) -> None:
    """Take the slots of paused workers again, as far as there are any: those at work first.

    Who gets none now gets one before its next turn.
    """
    agents = tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow_id)
    paused = [agent for agent in agents if agent.role == "worker" and agent.status == "paused"]
    for worker in sorted(paused, key=lambda worker: worker.task_id is None):
        try:
            scheduler.acquire(tx, "worker", policy.max_workers, workflow_id, worker.id)
        except LimitReachedError:
            return


def with_slots(reader: Reader, policy: ResourcePolicy, agents: Sequence[Agent]) -> list[Agent]:
    """Those of the agents that can have a turn: workers that hold a slot, or for whom one is free.

    After a pause a worker may have none.
    """
    without = [row[0] for row in reader.rows(queries.WORKERS_WITHOUT_SLOT)]
    if not without:
        return list(agents)
    free = policy.max_workers - int(reader.value(queries.COUNT_LEASES, kind="worker"))
    waits = without[max(0, free) :]
    return [agent for agent in agents if agent.id not in waits]


def need_worker_slot(tx: Tx, policy: ResourcePolicy, workflow: Workflow, live: int) -> None:
    """Raise `NoWorkerSlotError` unless a worker slot is free for this workflow now.

    Free slots are kept for workers that had one before a pause, and for workflows that
    have no worker at all and wait for one.
    """
    used = int(tx.value(queries.COUNT_LEASES, kind="worker"))
    limit = policy.max_workers
    line = [one.id for one in worker_line(tx)]
    before = line.index(workflow.id) if workflow.id in line else len(line)
    before += len(tx.rows(queries.WORKERS_WITHOUT_SLOT))
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

    return sorted(reader.all(Workflow, queries.WAIT_FOR_WORKER), key=place)


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
    free = policy.max_workers - int(reader.value(queries.COUNT_LEASES, kind="worker"))
    free -= len(reader.rows(queries.WORKERS_WITHOUT_SLOT))
    return [one for one in line[: max(0, free)] if one.worker_offered_at is None]


def offer_workers(tx: Tx, policy: ResourcePolicy) -> None:
    """Tell coordinators that wait for a worker slot that one is free."""
    for workflow in offers_due(tx, policy):
        tx.update(Workflow, workflow.id, worker_offered_at=tx.now)
        body = "a worker slot is free: spawn_worker works now"
        mail.tell_coordinator(tx, workflow.id, sender="perles", kind="system", body=body)


def settle_offer(tx: Tx, coordinator: Agent) -> None:
    """A coordinator's turn has ended: an offer that it saw and did not take is for others."""
    workflow = tx.need(Workflow, coordinator.workflow_id)
    if workflow.worker_offered_at is None:
        return
    if not tx.rows(queries.QUEUED_MESSAGES, agent_id=coordinator.id):
        leave_worker_line(tx, workflow.id)
