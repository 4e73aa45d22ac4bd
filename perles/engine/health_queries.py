"""The one statement of a health sweep, and the few for what it found."""

from typing import Final

from sqlalchemy import and_, bindparam, case, exists, func, or_, select

from perles.domain.states import LIVE_TURNS
from perles.store.schema import Agent, Event, Message, Task, Turn, Workflow
from perles.store.sql import Sql

_LIFE = Event.type.in_(["workflow.started", "workflow.resumed"])
_PROGRESS = or_(
    _LIFE,
    Event.type.like("task.%"),
    Event.type.in_(["worker.output", "agent.phase_changed"]),
    and_(Event.type == "turn.succeeded", Agent.role == "worker"),
)
_BEATS = or_(_LIFE, and_(Event.agent_id.is_not(None), Event.type.not_like("%.incoming")))
_news = (
    select(
        Event.workflow_id,
        func.max(case((_BEATS, Event.created_at))).label("beat"),
        func.max(case((_PROGRESS, Event.created_at))).label("progress"),
        func.max(
            case(
                (
                    Event.type == "agent.rate_limited",
                    func.json_extract(Event.payload, "$.until"),
                )
            )
        ).label("limited_until"),
    )
    .outerjoin(Agent, Agent.id == Event.agent_id)
    .where(Event.seq > bindparam("since"), Event.workflow_id.is_not(None))
    .group_by(Event.workflow_id)
    .subquery()
)


SWEEP: Final = Sql(
    select(
        Workflow.id,
        Workflow.state,
        Workflow.health,
        Workflow.waiting_for_user,
        Workflow.started_at,
        Workflow.last_heartbeat_at,
        Workflow.last_progress_at,
        Workflow.recovery_count,
        Workflow.last_recovery_at,
        _news.c.beat,
        _news.c.progress,
        _news.c.limited_until,
        exists()
        .where(Task.workflow_id == Workflow.id, Task.status == "waiting_for_user")
        .label("asks"),
        exists().where(Agent.workflow_id == Workflow.id, Agent.status == "working").label("works"),
        exists()
        .where(
            Agent.workflow_id == Workflow.id,
            Agent.status == "ready",
            Message.agent_id == Agent.id,
            Message.status == "queued",
        )
        .label("queues"),
        select(func.max(Event.seq)).scalar_subquery().label("newest"),
    )
    .outerjoin(_news, _news.c.workflow_id == Workflow.id)
    .where(Workflow.state == "running")
    .order_by(Workflow.id)
)
WORKING_AGENTS: Final = Sql(
    select(
        Agent.id,
        Agent.name,
        Agent.role,
        Agent.workflow_id,
        Turn.id.label("turn_id"),
        Turn.pid,
        Task.key.label("task"),
        Task.run.label("command"),
        func.coalesce(Agent.last_activity_at, Turn.started_at, Turn.created_at).label("active_at"),
        Turn.started_at,
    )
    .join(Turn, and_(Turn.agent_id == Agent.id, Turn.status.in_([str(s) for s in LIVE_TURNS])))
    .outerjoin(Task, Task.id == Agent.task_id)
    .where(Agent.workflow_id == bindparam("workflow_id"))
    .order_by(Agent.role.desc(), Agent.id)
)
SIGNALS: Final = Sql(
    select(Event.type, Event.created_at, _BEATS.label("is_beat"), _PROGRESS.label("is_progress"))
    .outerjoin(Agent, Agent.id == Event.agent_id)
    .where(Event.workflow_id == bindparam("workflow_id"))
    .order_by(Event.seq)
)
"""Every event of a workflow, with what it is to a sweep."""
