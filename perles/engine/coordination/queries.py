"""What the conductor asks of a plan: each statement finds its rows by an index."""

from typing import Final

from perles.domain.provider_choice import BUILTIN
from perles.domain.services import AGENT_TYPE
from perles.domain.states import OPEN_TASK_STATES
from perles.store.expressions import (
    ColumnElement,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from perles.store.schema.agents import Agent, Message
from perles.store.schema.tasks import IS_SERVICE, Task
from perles.store.sql import WORKFLOW_ID, Sql

_OF_AGENTS: Final = or_(Task.assignee.is_(None), Task.assignee != "human")
_NO_SERVICE: Final[ColumnElement[bool]] = literal_column(f"NOT ({IS_SERVICE})")
"""Services begin and end by themselves."""

NEEDS_AGENT: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == WORKFLOW_ID,
        _OF_AGENTS,
        or_(
            Task.run.is_(None),
            func.instr(Task.execution, '"check":') > 0,
            func.instr(Task.execution, '"review":') > 0,
        ),
    )
    .limit(1)
)
"""A task that is a prompt, or has a check or a review before it is done."""
IN_PROGRESS: Final = Sql(
    select(Task)
    .where(Task.workflow_id == WORKFLOW_ID, Task.status == "in_progress", _NO_SERVICE)
    .order_by(Task.id)
)
NEXT_READY: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == WORKFLOW_ID,
        Task.status == "ready",
        Task.id > bindparam("after"),
        _OF_AGENTS,
        _NO_SERVICE,
    )
    .order_by(Task.id)
    .limit(1)
)
HAS_OPEN: Final = Sql(
    select(
        exists().where(
            Task.workflow_id == WORKFLOW_ID,
            Task.status.in_([str(state) for state in OPEN_TASK_STATES]),
        )
    )
)
FREE_WORKER: Final = Sql(
    select(Agent.id, Agent.status)
    .where(
        Agent.workflow_id == WORKFLOW_ID,
        Agent.role == "worker",
        Agent.provider == BUILTIN,
        Agent.agent_type != AGENT_TYPE,
        Agent.status.in_(["ready", "working"]),
        Agent.phase == "idle",
        Agent.task_id.is_(None),
    )
    # One that works still ends its process: a ready one begins sooner.
    .order_by(case((Agent.status == "ready", 0), else_=1), Agent.id)
    .limit(1)
)
COUNT_SEATS: Final = Sql(
    select(func.count()).where(
        Agent.workflow_id == WORKFLOW_ID,
        Agent.role == "worker",
        Agent.agent_type != AGENT_TYPE,
        Agent.status.not_in(["failed", "retired"]),
    )
)
"""Workers for whom there is no successor: one that a person stopped may go on."""
BY_END: Final = Sql(
    select(Task.status, Task.tolerated, func.count().label("n"))
    .where(Task.workflow_id == WORKFLOW_ID)
    .group_by(Task.status, Task.tolerated)
)
READ_MESSAGES: Final = Sql(
    select(Message.id).where(Message.agent_id == bindparam("agent_id"), Message.status == "queued")
)
