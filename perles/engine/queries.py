"""The statements that the engine runs, each once compiled."""

from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Subquery,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    select,
    union_all,
    update,
)

from perles.domain.bounds import MAX_TOTAL_COST, MAX_TOTAL_TOKENS
from perles.domain.states import LIVE_AGENTS, LIVE_TURNS, OPEN_TASK_STATES
from perles.store.lost_leases import LOST
from perles.store.schema import (
    RANK,
    Agent,
    Command,
    Event,
    Lease,
    Message,
    ProviderHold,
    ResourceLimit,
    Task,
    TaskDependency,
    Totals,
    Turn,
    Workflow,
    WorkflowLabel,
)
from perles.store.sql import Sql

_WF: Final[BindParameter[str]] = bindparam("workflow_id")

QUEUED_COMMANDS: Final = Sql(
    select(Command.id).where(Command.status == "queued").order_by(Command.id)
)
UNFINISHED_COMMANDS: Final = Sql(
    select(Command).where(Command.status == "running").order_by(Command.id)
)
COMMAND_OF_REQUEST: Final = Sql(
    select(Command).where(
        Command.agent_id == bindparam("agent_id"), Command.request_key == bindparam("key")
    )
)
LAST_REFUSAL: Final = Sql(
    select(Command.kind, Command.error)
    .where(
        Command.workflow_id == _WF,
        Command.agent_id == bindparam("agent_id"),
        Command.status == "rejected",
        Command.created_at >= bindparam("since"),
    )
    .order_by(Command.id.desc())
    .limit(1)
)
COUNT_REFUSED: Final = Sql(
    select(func.count()).where(
        Command.workflow_id == _WF,
        Command.agent_id == bindparam("agent_id"),
        Command.kind == bindparam("kind"),
        Command.status == "rejected",
        Command.created_at >= bindparam("since"),
    )
)
NEXT_CLOSING: Final = Sql(
    select(Command.id).where(
        Command.workflow_id == _WF,
        Command.kind.in_(["complete", "fail"]),
        Command.status.in_(["queued", "running"]),
    )
)

AGENTS_OF: Final = Sql(select(Agent).where(Agent.workflow_id == _WF).order_by(Agent.id))
AGENT_NAMED: Final = Sql(
    select(Agent).where(Agent.workflow_id == _WF, Agent.name == bindparam("name"))
)
AGENT_BY_TOKEN: Final = Sql(
    select(Agent).where(Agent.token == bindparam("token"), Agent.retired_at.is_(None))
)
COORDINATOR_OF: Final = Sql(
    select(Agent)
    .where(Agent.workflow_id == _WF, Agent.role == "coordinator", Agent.retired_at.is_(None))
    .order_by(Agent.id.desc())
)
LAST_OUTPUTS: Final = Sql(
    select(Event.payload)
    .where(
        Event.agent_id == bindparam("agent_id"),
        Event.type.in_(["coordinator.output", "worker.output", "observer.output"]),
    )
    .order_by(Event.seq.desc())
    .limit(bindparam("limit"))
)
FAILED_COORDINATORS: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Workflow.state == "running",
        Agent.role == "coordinator",
        Agent.status == "failed",
        # One that failed in the future did so before the clock was set back.
        (Agent.updated_at < bindparam("before")) | (Agent.updated_at > bindparam("now")),
    )
)
COUNT_WORKERS_EVER: Final = Sql(
    select(func.count()).select_from(Agent).where(Agent.workflow_id == _WF, Agent.role == "worker")
)
COUNT_LIVE_WORKERS: Final = Sql(
    select(func.count())
    .select_from(Agent)
    .where(
        Agent.workflow_id == _WF,
        Agent.role == "worker",
        Agent.status.in_([str(status) for status in LIVE_AGENTS]),
    )
)
DELIVERABLE: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Agent.status == "ready",
        Workflow.state == "running",
        Agent.held_until.is_(None) | (Agent.held_until <= bindparam("now")),
        ~exists().where(
            ProviderHold.provider == Agent.provider,
            func.coalesce(ProviderHold.probe_at, ProviderHold.until) > bindparam("now"),
        ),
        exists().where(Message.agent_id == Agent.id, Message.status == "queued"),
    )
    .order_by(Workflow.priority.desc(), Agent.role, Agent.id)
)

QUEUED_MESSAGES: Final = Sql(
    select(Message)
    .where(Message.agent_id == bindparam("agent_id"), Message.status == "queued")
    .order_by(Message.id)
)
MARK_DELIVERED: Final = Sql(
    update(Message)
    .where(Message.agent_id == bindparam("agent_id_"), Message.status == "queued")
    .values(status="delivered", turn_id=bindparam("turn_id_"), updated_at=bindparam("now_"))
)
SETTLE_MESSAGES: Final = Sql(
    update(Message)
    .where(Message.turn_id == bindparam("turn_id_"), Message.status == "delivered")
    .values(status=bindparam("status_"), updated_at=bindparam("now_"))
)

COUNT_DELIVERED: Final = Sql(
    select(func.count())
    .select_from(Message)
    .where(Message.turn_id == bindparam("turn_id"), Message.status == "delivered")
)

MOVE_OFFSET: Final = Sql(
    update(Turn)
    .where(Turn.id == bindparam("id_"), Turn.stdout_offset == bindparam("from_"))
    .values(stdout_offset=bindparam("to_"), updated_at=bindparam("now_"))
)
LATEST_ENDED_TURNS: Final = Sql(
    select(Turn.error_class)
    .where(Turn.agent_id == bindparam("agent_id"), Turn.ended_at.is_not(None))
    .order_by(Turn.number.desc())
    .limit(bindparam("limit"))
)
LATEST_ENDED_IN: Final = Sql(
    select(Turn.error_class, Turn.error)
    .where(Turn.workflow_id == _WF, Turn.ended_at.is_not(None))
    .order_by(Turn.ended_at.desc(), Turn.id.desc())
    .limit(bindparam("limit"))
)
LAST_TURN_NUMBER: Final = Sql(
    select(func.coalesce(func.max(Turn.number), 0)).where(Turn.agent_id == bindparam("agent_id"))
)
OPEN_TURNS: Final = Sql(
    select(Turn).where(Turn.status.in_([str(status) for status in LIVE_TURNS])).order_by(Turn.id)
)
OPEN_TURN_OF: Final = Sql(
    select(Turn).where(
        Turn.agent_id == bindparam("agent_id"),
        Turn.status.in_([str(status) for status in LIVE_TURNS]),
    )
)

TASKS_OF: Final = Sql(select(Task).where(Task.workflow_id == _WF).order_by(Task.id))
TASK_KEYED: Final = Sql(select(Task).where(Task.workflow_id == _WF, Task.key == bindparam("key")))
COUNT_OPEN_TASKS: Final = Sql(
    select(func.count())
    .select_from(Task)
    .where(Task.workflow_id == _WF, Task.status.in_([str(s) for s in OPEN_TASK_STATES]))
)
FAILED_TASK_KEYS: Final = Sql(
    select(Task.key).where(Task.workflow_id == _WF, Task.status == "failed").order_by(Task.id)
)
_upstream = Task.__table__.alias("upstream")
NEWLY_READY: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == _WF,
        Task.status == "pending",
        ~exists()
        .where(TaskDependency.task_id == Task.id)
        .where(TaskDependency.depends_on_id == _upstream.c.id)
        .where(_upstream.c.status != "done"),
    )
    .order_by(Task.id)
)
DEPENDENTS: Final = Sql(
    select(Task.id, Task.key, Task.status)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"))
    .order_by(Task.id)
)

DEPENDENCIES_OF: Final = Sql(
    select(TaskDependency.task_id, TaskDependency.depends_on_id)
    .join(Task, Task.id == TaskDependency.task_id)
    .where(Task.workflow_id == _WF)
    .order_by(TaskDependency.task_id, TaskDependency.depends_on_id)
)
LABELS_OF: Final = Sql(
    select(WorkflowLabel).where(WorkflowLabel.workflow_id == _WF).order_by(WorkflowLabel.key)
)
SESSION_OF_RETRIED: Final = Sql(
    select(Agent.provider_session_id, Agent.session_totals)
    .join(Workflow, Workflow.retried_from == Agent.workflow_id)
    .where(
        Workflow.id == _WF,
        Agent.name == bindparam("name"),
        Agent.provider == bindparam("provider"),
        Agent.provider_session_id.is_not(None),
    )
)

NEXT_ENDING: Final = Sql(
    select(Command.id).where(
        Command.workflow_id == _WF,
        Command.kind.in_(["complete", "fail", "pause", "stop"]),
        Command.status.in_(["queued", "running"]),
    )
)
_is_of_workflow = Agent.workflow_id == _WF
UNDER_WAY: Final = Sql(
    select(
        exists().where(_is_of_workflow, Agent.status == "working")
        | exists().where(_is_of_workflow, Agent.role == "coordinator", Agent.status == "failed")
        | exists().where(
            _is_of_workflow,
            Agent.status.in_(["pending", "ready"]),
            Message.agent_id == Agent.id,
            Message.status == "queued",
        )
        | exists().where(
            Command.workflow_id == _WF,
            Command.kind.in_(["complete", "fail", "pause", "stop", "send", "approve", "deny"])
            | Command.kind.like("agent.%"),
            Command.status.in_(["queued", "running"]),
        )
        | exists().where(Task.workflow_id == _WF, Task.status == "waiting_for_user")
        | exists().where(Workflow.id == _WF, Workflow.worker_requested_at.is_not(None))
    )
)
"""Whether something goes on in a workflow, waits for its turn, or waits for a person."""
QUEUED_TURNS: Final = Sql(select(Turn.agent_id, Turn.created_at).where(Turn.status == "queued"))
QUEUED_TURN_OF: Final = Sql(
    select(Turn).where(Turn.agent_id == bindparam("agent_id"), Turn.status == "queued")
)
QUEUED_TURNS_OF: Final = Sql(
    select(Turn).where(Turn.workflow_id == _WF, Turn.status == "queued").order_by(Turn.id)
)
_is_live_turn = Turn.status.in_([str(status) for status in LIVE_TURNS])
USED_BY_TURNS: Final = Sql(
    select((Turn.tokens_in + Turn.tokens_out).label("tokens"), Turn.cost_usd)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Turn.workflow_id == _WF, Agent.role == bindparam("role"), Turn.status == "succeeded")
    .order_by(Turn.id.desc())
    .limit(bindparam("most"))
)
RESERVED_BY_TURNS: Final = Sql(
    select(
        Turn.workflow_id,
        Turn.tokens_reserved,
        Turn.cost_reserved,
        (Turn.tokens_in + Turn.tokens_out).label("tokens"),
        Turn.cost_usd,
    )
    .join(Lease, (Lease.agent_id == Turn.agent_id) & (Lease.kind == "ai_call"))
    .where(_is_live_turn)
)
WAIT_FOR_WORKER: Final = Sql(
    select(Workflow).where(Workflow.state == "running", Workflow.worker_requested_at.is_not(None))
)

RUNNING_WORKFLOWS: Final = Sql(select(Workflow).where(Workflow.state == "running"))
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
# Those that would spend are passed over: the providers that are held back are a JSON array.
_worker = func.coalesce(Task.worker, Workflow.worker_provider, Workflow.provider)
_worker_provider = func.substr(_worker, 1, func.instr(_worker + ":", ":") - 1)
_asks_an_agent = (
    (Task.workflow_id == Workflow.id)
    & Task.status.in_([str(status) for status in OPEN_TASK_STATES])
    & Task.run.is_(None)
    & (Task.assignee.is_(None) | (Task.assignee != "human"))
)
_held = func.json_each(bindparam("held", "[]")).table_valued("value")
_may_run = (bindparam("held", "[]") == "[]") | (
    Workflow.provider.not_in(select(_held.c.value))
    & ~exists().where(_asks_an_agent, _worker_provider.in_(select(_held.c.value)))
)
# Whoever asked just now is answered by their own command.
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
    earlier = (rank <= mine) & ((rank < mine) | (Workflow.id < _WF))
    found = select(Workflow.id).where(waits, earlier, Workflow.id != _WF, _may_run)
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
RANK_OF: Final = Sql(select(_rank.label("rank")).select_from(Workflow).where(Workflow.id == _WF))
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
    .where(Workflow.id == _WF)
    .distinct()
)
"""Of the agents that the open tasks of a workflow are for."""
WORKERS_WITHOUT_SLOT: Final = Sql(
    select(Agent.id)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Workflow.state == "running",
        Agent.role == "worker",
        Agent.status == "ready",
        exists().where(Message.agent_id == Agent.id, Message.status == "queued"),
        ~exists().where(Lease.agent_id == Agent.id, Lease.kind == "worker"),
    )
    .order_by(Workflow.priority.desc(), Agent.id)
)
HAS_PAUSED_WORKERS: Final = Sql(
    select(
        exists().where(Agent.workflow_id == _WF, Agent.role == "worker", Agent.status == "paused")
    )
)
COUNT_WAITING_FOR: Final = Sql(
    select(func.count())
    .select_from(Workflow)
    .where(
        Workflow.state == "pending",
        Workflow.reason == bindparam("reason"),
        Workflow.id != _WF,
    )
)
CALLS_BY_WORKFLOW: Final = Sql(
    select(Lease.workflow_id, func.count())
    .where(Lease.kind == "ai_call")
    .group_by(Lease.workflow_id)
)
LOST_LEASES: Final = Sql(select(Lease).where(literal_column(LOST)).order_by(Lease.id))
LOST_QUEUED_TURNS: Final = Sql(
    select(Turn)
    .join(Workflow, Workflow.id == Turn.workflow_id)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Turn.status == "queued", (Workflow.state != "running") | (Agent.status != "ready"))
    .order_by(Turn.id)
)
RESTATE_WAITING: Final = Sql(
    update(Workflow)
    .where(
        Workflow.state.in_(["pending", "paused"]),
        Workflow.start_requested_at.is_not(None),
        Workflow.reason.like("waiting: % workflows run"),
    )
    .values(reason=bindparam("reason_"), updated_at=bindparam("now_"))
)
LIMIT_ROWS: Final = Sql(select(ResourceLimit))


def _sum(column: Any, added: str, most: float) -> ColumnElement[Any]:
    """A total with more added to it, as long as it stays within its bound."""
    total = column + bindparam(added)
    return case((total > literal_column(str(most)), literal_column(str(most))), else_=total)


def _tokens(column: Any, added: str) -> ColumnElement[Any]:
    return _sum(column, added, MAX_TOTAL_TOKENS)


def _cost(column: Any, added: str = "cost") -> ColumnElement[Any]:
    return _sum(column, added, MAX_TOTAL_COST)


ADD_USAGE_TO_TOTALS: Final = Sql(
    update(Totals).values(tokens=_tokens(Totals.tokens, "tokens"), cost_usd=_cost(Totals.cost_usd))
)
COUNT_LEASES: Final = Sql(
    select(func.count()).select_from(Lease).where(Lease.kind == bindparam("kind"))
)
LEASED_PORTS: Final = Sql(select(Lease.value).where(Lease.kind == "port"))
LEASES_OF: Final = Sql(select(Lease).where(Lease.workflow_id == _WF).order_by(Lease.id))
LEASE_OF_AGENT: Final = Sql(
    select(Lease).where(Lease.agent_id == bindparam("agent_id"), Lease.kind == bindparam("kind"))
)
DROP_LEASE: Final = Sql(delete(Lease).where(Lease.id == bindparam("id_")))

HAS_WORK: Final = Sql(
    select(
        exists().where(Workflow.state == "running")
        | exists().where(
            Workflow.state.in_(["pending", "paused"]), Workflow.start_requested_at.is_not(None)
        )
        | exists().where(Command.status.in_(["queued", "running"]))
    )
)
DROP_PAST_HOLD: Final = Sql(
    delete(ProviderHold).where(
        ProviderHold.provider == bindparam("provider_"), ProviderHold.until <= bindparam("now_")
    )
)


def _add_usage_to(model: type[Turn] | type[Agent]) -> Sql:
    return Sql(
        update(model)
        .where(model.id == bindparam("id_"))
        .values(
            tokens_in=_tokens(model.tokens_in, "tokens_in"),
            tokens_out=_tokens(model.tokens_out, "tokens_out"),
            tokens_cached=_tokens(model.tokens_cached, "tokens_cached"),
            cost_usd=_cost(model.cost_usd),
            updated_at=bindparam("now_"),
        )
    )


ADD_USAGE_TO_TURN: Final = _add_usage_to(Turn)
ADD_USAGE_TO_AGENT: Final = _add_usage_to(Agent)
ADD_USAGE_TO_WORKFLOW: Final = Sql(
    update(Workflow)
    .where(Workflow.id == bindparam("id_"))
    .values(
        tokens_used=_tokens(Workflow.tokens_used, "tokens"),
        cost_usd=_cost(Workflow.cost_usd),
        updated_at=bindparam("now_"),
    )
)
