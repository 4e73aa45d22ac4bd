"""The line of workflows that wait to start or to go on: who is next, and who is before one."""

from typing import Final

from perles.domain.states import OPEN_TASK_STATES
from perles.store.expressions import (
    BindParameter,
    ColumnElement,
    Subquery,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    union_all,
)
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import RANK, Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.sqlite.backend import values_of

# The line: pending workflows in their index, and the few that are paused and were told to go on.
_rank: ColumnElement[float] = literal_column(RANK)
# Who is paused and has workers needs a slot for one of them; where none is free it is passed over.
_has_slot = (bindparam("worker_slot", 1) == 1) | ~exists().where(
    Agent.workflow_id == Workflow.id, Agent.role == "worker", Agent.status == "paused"
)
_goes_on = (Workflow.state == "paused") & Workflow.start_requested_at.is_not(None)
_in_line = (
    (Workflow.start_rank.is_not(None), Workflow.start_rank),
    (_goes_on & _has_slot, _rank),
)
# Workflows that would spend are passed over: the providers that are held back are a JSON array.
_worker = func.coalesce(Task.worker, Workflow.worker_provider, Workflow.provider)
_worker_provider = func.substr(_worker, 1, func.instr(_worker + ":", ":") - 1)
_asks_an_agent = (
    (Task.workflow_id == Workflow.id)
    & Task.status.in_([str(status) for status in OPEN_TASK_STATES])
    & Task.run.is_(None)
    & (Task.assignee.is_(None) | (Task.assignee != "human"))
)
_held = values_of(bindparam("held", "[]"))
_may_run = (bindparam("held", "[]") == "[]") | (
    Workflow.provider.not_in(_held) & ~exists().where(_asks_an_agent, _worker_provider.in_(_held))
)
# A workflow that asked just now is answered by its own command.
_was_told = exists().where(
    Command.workflow_id == Workflow.id,
    Command.kind.in_(["start", "resume"]),
    Command.status.in_(["queued", "running"]),
)


def _first(waits: ColumnElement[bool], rank: ColumnElement[float]) -> Subquery:
    found = select(Workflow.id, rank.label("rank")).where(waits, ~_was_told, _may_run)
    return found.order_by(rank, Workflow.id).limit(bindparam("most")).subquery()


def _before(waits: ColumnElement[bool], rank: ColumnElement[float]) -> Subquery:
    mine: BindParameter[float] = bindparam("rank")
    earlier = (rank <= mine) & ((rank < mine) | (Workflow.id < WORKFLOW_ID))
    found = select(Workflow.id).where(waits, earlier, Workflow.id != WORKFLOW_ID, _may_run)
    return found.limit(bindparam("most")).subquery()


_line = union_all(*(select(_first(*one)) for one in _in_line)).subquery()
WAITING_WORKFLOWS: Final = Sql(
    select(Workflow)
    .join(_line, _line.c.id == Workflow.id)
    .order_by(_line.c.rank, Workflow.id)
    .limit(bindparam("most"))
)
_ahead = union_all(*(select(_before(*one)) for one in _in_line)).subquery()
COUNT_AHEAD: Final = Sql(select(func.count()).select_from(_ahead))
RANK_OF: Final = Sql(
    select(_rank.label("rank")).select_from(Workflow).where(Workflow.id == WORKFLOW_ID)
)
_is_in_line = Workflow.state.in_(["pending", "paused"]) & Workflow.start_requested_at.is_not(None)
WAITING_PROVIDERS: Final = Sql(
    select(Workflow.provider.label("provider"))
    .where(_is_in_line)
    .union(
        select(_worker_provider.label("provider"))
        .select_from(Workflow)
        .join(Task, _asks_an_agent)
        .where(_is_in_line)
    )
)
WORKER_PROVIDERS: Final = Sql(
    select(_worker_provider.label("provider"))
    .select_from(Workflow)
    .join(Task, _asks_an_agent)
    .where(Workflow.id == WORKFLOW_ID)
    .distinct()
)
"""Of the agents that the open tasks of a workflow are for."""
