"""Who is next for a workflow slot and for a worker slot, in the order of `domain.priority`."""

import json
from collections.abc import Sequence
from typing import Any, Final

from perles.config.model import ResourcePolicy
from perles.domain.errors import LimitReachedError
from perles.engine.resources import leases
from perles.store import waiting_line
from perles.store.expressions import exists, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql

HAS_PAUSED_WORKERS: Final = Sql(
    select(
        exists().where(
            Agent.workflow_id == WORKFLOW_ID, Agent.role == "worker", Agent.status == "paused"
        )
    )
)


def need_slot(
    reader: Reader, policy: ResourcePolicy, workflow: Workflow, held: Sequence[str] = ()
) -> None:
    """Raise `LimitReachedError` unless a slot is free for this workflow now.

    One that waits in line needs room for those before it too; one that was never
    asked to wait (`--no-wait`) needs room for all that wait. Those of providers that
    are `held` back do not count.
    """
    limit = policy.max_workflows_running
    used = int(reader.value(leases.COUNT_LEASES, kind="workflow"))
    if used >= limit:
        raise LimitReachedError(f"{used} of {limit} workflows run")
    rank = float("inf")
    if workflow.start_requested_at is not None:
        rank = reader.value(waiting_line.RANK_OF, workflow_id=workflow.id)
    values = {"rank": rank, "workflow_id": workflow.id, "most": limit, **_passed(held)}
    values["worker_slot"] = _has_worker_slot(reader, policy)
    ahead = int(reader.value(waiting_line.COUNT_AHEAD, **values))
    if used + ahead >= limit:  # those before it take what is free, in this very moment
        raise LimitReachedError(f"{limit} of {limit} workflows run")


def first_in_line(
    reader: Reader, policy: ResourcePolicy, most: int, held: Sequence[str]
) -> tuple[list[Workflow], list[Workflow]]:
    """The workflows that may be next for `most` slots; and the first that these pass in the line.

    It skips workflows of providers that are `held` back, and paused ones that
    have workers, where no worker slot is free.
    """
    values = {"worker_slot": _has_worker_slot(reader, policy), **_passed(held)}
    line = reader.all(Workflow, waiting_line.WAITING_WORKFLOWS, most=most, **values)
    ids = {workflow.id for workflow in line}
    first = reader.all(Workflow, waiting_line.WAITING_WORKFLOWS, most=most)
    return line, [workflow for workflow in first if workflow.id not in ids]


def _passed(held: Sequence[str]) -> dict[str, Any]:
    return {"held": json.dumps(list(held))}


def _has_worker_slot(reader: Reader, policy: ResourcePolicy) -> int:
    return int(reader.value(leases.COUNT_LEASES, kind="worker") < policy.max_workers)


def need_slot_of_paused(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> None:
    """Raise `LimitReachedError` where a workflow had workers, and no slot is free for one now."""
    if not reader.value(HAS_PAUSED_WORKERS, workflow_id=workflow.id):
        return
    if not _has_worker_slot(reader, policy):
        used = reader.value(leases.COUNT_LEASES, kind="worker")
        raise LimitReachedError(f"{used} of {policy.max_workers} workers live")
