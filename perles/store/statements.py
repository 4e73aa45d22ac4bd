"""The statements that the engine runs, each once compiled."""

from typing import Final

from perles.domain.services import AGENT_TYPE
from perles.domain.states import LIVE_AGENTS, LIVE_TURNS
from perles.store.expressions import (
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from perles.store.pending_work import WORK
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.engine import Command
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql

COUNT_REFUSED: Final = Sql(
    select(func.count()).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.agent_id == bindparam("agent_id"),
        Command.kind == bindparam("kind"),
        Command.status == "rejected",
        Command.created_at >= bindparam("since"),
    )
)

AGENTS_OF: Final = Sql(select(Agent).where(Agent.workflow_id == WORKFLOW_ID).order_by(Agent.id))
AGENT_NAMED: Final = Sql(
    select(Agent).where(Agent.workflow_id == WORKFLOW_ID, Agent.name == bindparam("name"))
)
COORDINATOR_OF: Final = Sql(
    select(Agent)
    .where(
        Agent.workflow_id == WORKFLOW_ID, Agent.role == "coordinator", Agent.retired_at.is_(None)
    )
    .order_by(Agent.id.desc())
)
NOW_IN_ROLE: Final = Sql(
    select(Agent)
    .where(
        Agent.workflow_id == WORKFLOW_ID,
        Agent.role == bindparam("role"),
        Agent.retired_at.is_(None),
    )
    .order_by(Agent.id.desc())
)
COUNT_LIVE_WORKERS: Final = Sql(
    select(func.count())
    .select_from(Agent)
    .where(
        Agent.workflow_id == WORKFLOW_ID,
        Agent.role == "worker",
        Agent.agent_type != AGENT_TYPE,
        Agent.status.in_([str(status) for status in LIVE_AGENTS]),
    )
)

QUEUED_MESSAGES: Final = Sql(
    select(Message)
    .where(Message.agent_id == bindparam("agent_id"), Message.status == "queued")
    .order_by(Message.id)
)
SETTLE_MESSAGES: Final = Sql(
    update(Message)
    .where(Message.turn_id == bindparam("turn_id_"), Message.status == "delivered")
    .values(status=bindparam("status_"), updated_at=bindparam("now_"))
)


LATEST_ENDED_TURNS: Final = Sql(
    select(Turn.error_class)
    .where(Turn.agent_id == bindparam("agent_id"), Turn.ended_at.is_not(None))
    .order_by(Turn.number.desc())
    .limit(bindparam("limit"))
)
LATEST_ERROR: Final = Sql(
    select(Turn.error)
    .where(Turn.agent_id == bindparam("agent_id"))
    .order_by(Turn.number.desc())
    .limit(1)
)
OPEN_TURNS: Final = Sql(
    select(Turn).where(Turn.status.in_([str(status) for status in LIVE_TURNS])).order_by(Turn.id)
)

TASKS_OF: Final = Sql(select(Task).where(Task.workflow_id == WORKFLOW_ID).order_by(Task.id))
TASK_KEYED: Final = Sql(
    select(Task).where(Task.workflow_id == WORKFLOW_ID, Task.key == bindparam("key"))
)

DEPENDENCIES_OF: Final = Sql(
    select(TaskDependency.task_id, TaskDependency.depends_on_id)
    .join(Task, Task.id == TaskDependency.task_id)
    .where(Task.workflow_id == WORKFLOW_ID)
    .order_by(TaskDependency.task_id, TaskDependency.depends_on_id)
)

QUEUED_TURN_OF: Final = Sql(
    select(Turn).where(Turn.agent_id == bindparam("agent_id"), Turn.status == "queued")
)
IS_LIVE_TURN = Turn.status.in_([str(status) for status in LIVE_TURNS])

RUNNING_WORKFLOWS: Final = Sql(select(Workflow).where(Workflow.state == "running"))


HAS_WORK: Final = Sql(
    select(or_(literal_column(WORK), exists().where(Command.status.in_(["queued", "running"]))))
)
