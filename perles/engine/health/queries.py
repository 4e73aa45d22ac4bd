"""The one statement of a health sweep, and the few for what it suspects or found."""

from typing import Any, Final

from perles.domain.services import AGENT_TYPE
from perles.domain.states import LIVE_TURNS
from perles.store.expressions import (
    BindParameter,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from perles.store.schema.agents import Agent, Message, ProviderHold, Turn
from perles.store.schema.journal import Event
from perles.store.schema.resources import NamedLease
from perles.store.schema.tasks import IS_SERVICE, Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.sqlite.backend import field_of

_LIFE = Event.type.in_(["workflow.started", "workflow.resumed"])
_PROGRESS = or_(
    _LIFE,
    and_(
        or_(Event.type.like("task.%"), Event.type == "agent.phase_changed"),
        # That a task is in other hands is our doing, and no sign that it goes on.
        field_of(Event.payload, "instead_of").is_(None),
    ),
    Event.type == "worker.output",
    and_(Event.type == "turn.succeeded", Agent.role == "worker"),
)
_BEATS = or_(
    _LIFE,
    and_(
        Event.agent_id.is_not(None),
        Event.type.not_like("%.incoming"),
        Event.type.not_like("health.%"),
        Event.type.not_like("recovery.%"),
    ),
)
# Grouped by an expression, so that only what is new is read, not the index of all there was.
_about = cast(Event.workflow_id, Text)
_news = (
    select(
        _about.label("workflow_id"),
        func.max(case((_BEATS, Event.created_at))).label("beat"),
        func.max(case((_PROGRESS, Event.created_at))).label("progress"),
    )
    .outerjoin(Agent, Agent.id == Event.agent_id)
    .where(Event.seq > bindparam("since"))
    .group_by(_about)
    .subquery()
)
_active = func.max(func.coalesce(Agent.last_activity_at, ""), Agent.updated_at)
"""When an agent gave its last sign: it printed, its phase changed, its turn began."""
_provider_until = func.coalesce(
    select(ProviderHold.until).where(ProviderHold.provider == Agent.provider).scalar_subquery(), ""
)
_limited_until = func.max(func.coalesce(Agent.held_until, ""), _provider_until)
# A service that runs is no sign that its workflow goes on: it may wait for requests for days.
_takes_part = (Agent.role != "observer") & (Agent.agent_type != AGENT_TYPE)
_is_ready = (Agent.status == "ready") & _takes_part
_works = (Agent.status == "working") & _takes_part
_has_mail = exists().where(Message.agent_id == Agent.id, Message.status == "queued")
# All that is asked of agents in one pass: by their status, a lookup would meet those of everybody.
_agents = (
    select(
        Workflow.id.label("workflow_id"),
        func.max(case((_works, 1), else_=0)).label("works"),
        func.max(case((_is_ready & _has_mail, 1), else_=0)).label("queues"),
        func.max(case((_is_ready | _works, _limited_until), else_="")).label("limited_until"),
        func.min(case((_works & (Agent.role == "worker"), _active))).label("quietest"),
    )
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(Workflow.state == "running")
    .group_by(Workflow.id)
    .subquery()
)
_delayed_until = (
    select(func.max(Task.held_until))
    .where(Task.workflow_id == Workflow.id, Task.held_until.is_not(None), Task.status == "pending")
    .scalar_subquery()
)
"""Until when a task waits for its next attempt."""
_waits_for_service = exists().where(
    Task.workflow_id == Workflow.id,
    literal_column(IS_SERVICE),
    Task.status == "in_progress",
    Task.serving_since.is_(None),
)
_waits_for_names = exists().where(
    NamedLease.workflow_id == Workflow.id, NamedLease.acquired_at.is_(None)
)
NEWEST: Final = Sql(select(func.coalesce(func.max(Event.seq), 0)))
SWEEP: Final = Sql(
    select(
        Workflow.id,
        Workflow.state,
        Workflow.health,
        Workflow.waiting_for_user,
        Workflow.last_heartbeat_at,
        Workflow.last_progress_at,
        Workflow.recovery_count,
        Workflow.last_recovery_at,
        _news.c.beat,
        _news.c.progress,
        _agents.c.works,
        _agents.c.queues,
        _agents.c.limited_until,
        _delayed_until.label("delayed_until"),
        _waits_for_names.label("waits_for_names"),
        _waits_for_service.label("waits_for_service"),
        _agents.c.quietest,
        select(func.max(Event.seq)).scalar_subquery().label("newest"),
    )
    .outerjoin(_news, _news.c.workflow_id == Workflow.id)
    .outerjoin(_agents, _agents.c.workflow_id == Workflow.id)
    .where(Workflow.state == "running")
)


def _later(heard: BindParameter[Any], known: Any) -> Any:
    """What is known never goes back: an event may be dated by a clock that was set since."""
    return func.coalesce(func.max(heard, known), heard, known)


NOTE: Final = Sql(
    update(Workflow)
    .where(Workflow.id == bindparam("id_"))
    .values(
        last_heartbeat_at=_later(bindparam("beat"), Workflow.last_heartbeat_at),
        last_progress_at=_later(bindparam("progress"), Workflow.last_progress_at),
        health=case((Workflow.health == "unknown", "healthy"), else_=Workflow.health),
        updated_at=bindparam("now_"),
    )
)
QUIET_WORKERS: Final = Sql(
    select(
        Agent.id,
        Agent.name,
        Agent.workflow_id,
        Turn.id.label("turn_id"),
        Turn.started_at,
        Agent.task_id,
        Task.key.label("task"),
        Task.run.label("command"),
        _active.label("active_at"),
        _provider_until.label("limited_until"),
    )
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .join(Turn, and_(Turn.agent_id == Agent.id, Turn.status.in_([str(s) for s in LIVE_TURNS])))
    .outerjoin(Task, Task.id == Agent.task_id)
    .where(
        Agent.status == "working",
        Agent.role == "worker",
        Agent.agent_type != AGENT_TYPE,  # a server may have nothing to say for days
        Workflow.state == "running",
        Workflow.health != "stuck",
        _active < bindparam("before"),
    )
    .order_by(Agent.id)
)
WAS_TOLD: Final = Sql(
    select(Event.seq).where(
        Event.workflow_id == bindparam("workflow_id"),
        Event.agent_id == bindparam("agent_id"),
        Event.type == "health.stuck",
        Event.created_at >= bindparam("since"),
    )
)
RECOVERIES_OF_WORKER: Final = Sql(
    select(func.count().label("recoveries"), func.max(Event.created_at).label("last")).where(
        Event.workflow_id == bindparam("workflow_id"),
        Event.type.in_(["recovery.attempted", "recovery.exhausted"]),
        Event.agent_id.is_not(None),
        or_(Event.task_id == bindparam("task_id"), Event.turn_id == bindparam("turn_id")),
    )
)
AGENT: Final = Sql(select(Agent).where(Agent.id == bindparam("agent_id")))
ACTIVE_AT: Final = Sql(select(_active).where(Agent.id == bindparam("agent_id")))
MOVED: Final = Sql(
    select(Agent.id).where(
        Agent.id == bindparam("agent_id"),
        or_(
            Agent.last_activity_at > bindparam("since"),
            exists().where(
                Turn.agent_id == Agent.id,
                Turn.status == "succeeded",
                Turn.ended_at > bindparam("since"),
            ),
        ),
    )
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
    .where(
        Event.workflow_id == bindparam("workflow_id"),
        or_(Event.agent_id.is_(None), Event.type.not_like("health.%")),
    )
    .order_by(Event.seq)
)
"""Every event of a workflow, with what it is to a sweep; not what was told of one worker."""
