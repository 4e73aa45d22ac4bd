"""The rows of the database, as SQLAlchemy models: the truth that migrations are checked against.

Conventions: states are text, held by CHECK constraints to the machines of
`perles.domain.states`; times are ISO-8601 UTC text (`2026-01-31T10:22:14.123Z`);
JSON is text; so that a person with `sqlite3` reads rows bare. `version` is the
fencing counter of compare-and-swap.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from perles.domain.priority import rank_sql
from perles.domain.states import AGENT, COMMAND, PHASE, TASK, TURN, WORKFLOW, Rules

_Key = BigInteger().with_variant(Integer, "sqlite")
_IDS_ONCE = {"sqlite_autoincrement": True}
"""For tables whose ids somebody remembers: the id of a row that is gone is never given again."""

RANK = rank_sql("start_requested_at")
START_RANK = f"CASE WHEN state = 'pending' THEN {RANK} END"
"""Who starts next: the smallest; NULL waits for nothing. Ten minutes outweigh one priority."""
WAITS_TO_START = "start_rank IS NOT NULL"

IN_INBOX = (
    "type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed')"
)


class Base(DeclarativeBase):
    """The registry of all tables, with names for their constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text}  # noqa: RUF012 - SQLAlchemy reads it off the class


class Dated:
    """A row that says when it was made and last changed."""

    created_at: Mapped[str]
    updated_at: Mapped[str]


def _one_of(column: str, words: tuple[str, ...], *, null: bool = False) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    rule = f"{column} IN ({listed})"
    return CheckConstraint(f"{column} IS NULL OR {rule}" if null else rule, name=column)


def _state(rules: Rules, column: str) -> CheckConstraint:
    return _one_of(column, rules.states)


def _not_negative(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative")


class Workflow(Dated, Base):
    """An instance of a template: one coordinator and its workers."""

    __tablename__ = "workflows"
    __table_args__ = (
        _state(WORKFLOW, "state"),
        CheckConstraint("priority BETWEEN 0 AND 2", name="priority"),
        _one_of("health", ("unknown", "healthy", "degraded", "stuck")),
        _not_negative("token_budget"),
        _not_negative("tokens_used"),
        _not_negative("cost_usd"),
        _not_negative("cost_budget"),
        Index("ix_workflows_queue", "start_rank", "id", sqlite_where=text(WAITS_TO_START)),
        Index(None, "state", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "name"),
        Index("ix_workflows_open", "created_at", "id", sqlite_where=text("archived_at IS NULL")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    template_id: Mapped[str]
    name: Mapped[str]
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(server_default="1")
    work_dir: Mapped[str]
    goal: Mapped[str] = mapped_column(server_default="")
    args: Mapped[str] = mapped_column(server_default="{}")
    definition: Mapped[str] = mapped_column(server_default="{}")
    provider: Mapped[str] = mapped_column(server_default="builtin")
    max_workers: Mapped[int] = mapped_column(server_default="2")
    worktree_enabled: Mapped[int] = mapped_column(server_default="0")
    base_branch: Mapped[str | None]
    branch: Mapped[str | None]
    worktree_path: Mapped[str | None]
    token_budget: Mapped[int] = mapped_column(server_default="0")
    tokens_used: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[float] = mapped_column(server_default="0")
    cost_budget: Mapped[float] = mapped_column(server_default="0")
    mcp_port: Mapped[int | None]
    session_dir: Mapped[str | None]
    started_at: Mapped[str | None]
    paused_at: Mapped[str | None]
    ended_at: Mapped[str | None]
    start_requested_at: Mapped[str | None]
    start_rank: Mapped[float | None] = mapped_column(Computed(START_RANK, persisted=False))
    worker_requested_at: Mapped[str | None]
    worker_offered_at: Mapped[str | None]
    archived_at: Mapped[str | None]
    health: Mapped[str] = mapped_column(server_default="unknown")
    last_heartbeat_at: Mapped[str | None]
    last_progress_at: Mapped[str | None]
    recovery_count: Mapped[int] = mapped_column(server_default="0")
    last_recovery_at: Mapped[str | None]
    waiting_for_user: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str | None]
    retried_from: Mapped[str | None] = mapped_column(ForeignKey("workflows.id"))
    version: Mapped[int] = mapped_column(server_default="0")
    model: Mapped[str | None]
    worker_provider: Mapped[str | None]
    worker_model: Mapped[str | None]
    paused_s: Mapped[float] = mapped_column(server_default="0")
    """Seconds since `started_at` that are no uptime: pauses, and by how much the clock was set."""
    surroundings: Mapped[str] = mapped_column(server_default="{}")


class WorkflowLabel(Dated, Base):
    """A `key=value` that a person hung on a workflow."""

    __tablename__ = "workflow_labels"
    __table_args__ = (Index(None, "key", "value"),)
    workflow_id: Mapped[str] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Agent(Dated, Base):
    """A role in a workflow: coordinator, worker-N (N is never used again) or observer."""

    __tablename__ = "agents"
    __table_args__ = (
        UniqueConstraint("workflow_id", "name"),
        _one_of("role", ("coordinator", "worker", "observer")),
        _state(AGENT, "status"),
        _state(PHASE, "phase"),
        Index(None, "token"),
        Index(None, "status"),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    name: Mapped[str]
    role: Mapped[str]
    agent_type: Mapped[str] = mapped_column(server_default="")
    provider: Mapped[str]
    model: Mapped[str | None]
    status: Mapped[str]
    phase: Mapped[str] = mapped_column(server_default="idle")
    task_id: Mapped[int | None]  # no foreign key: tasks name agents, and a circle cannot be created
    provider_session_id: Mapped[str | None]
    token: Mapped[str | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    tokens_in: Mapped[int] = mapped_column(server_default="0")
    tokens_out: Mapped[int] = mapped_column(server_default="0")
    tokens_cached: Mapped[int] = mapped_column(server_default="0")
    context_used: Mapped[int | None]
    context_window: Mapped[int | None]
    cost_usd: Mapped[float] = mapped_column(server_default="0")
    last_activity_at: Mapped[str | None]
    retired_at: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    session_totals: Mapped[str | None]
    held_until: Mapped[str | None]
    holds: Mapped[int] = mapped_column(server_default="0")
    silences: Mapped[int] = mapped_column(server_default="0")
    """Turns in a row that ended in words, where a tool call was due."""


class Turn(Dated, Base):
    """One run of an agent's process: the unit of work, cost and recovery."""

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("agent_id", "number"),
        _state(TURN, "status"),
        _not_negative("stdout_offset"),
        Index(None, "workflow_id"),
        Index(
            "ix_turns_open",
            "status",
            sqlite_where=text("status IN ('queued', 'starting', 'running')"),
        ),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    number: Mapped[int]
    status: Mapped[str]
    prompt: Mapped[str]
    pid: Mapped[int | None]
    start_ticks: Mapped[int | None]
    boot_id: Mapped[str | None]
    stdout_path: Mapped[str]
    stdout_offset: Mapped[int] = mapped_column(server_default="0")
    stderr_path: Mapped[str]
    exit_code: Mapped[int | None]
    outcome: Mapped[str | None]
    error_class: Mapped[str | None]
    error: Mapped[str | None]
    tokens_in: Mapped[int] = mapped_column(server_default="0")
    tokens_out: Mapped[int] = mapped_column(server_default="0")
    tokens_cached: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[float] = mapped_column(server_default="0")
    tokens_reserved: Mapped[int] = mapped_column(server_default="0")
    cost_reserved: Mapped[float] = mapped_column(server_default="0")
    started_at: Mapped[str | None]
    ended_at: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    session_base: Mapped[str | None]


class Message(Dated, Base):
    """Text that waits for an agent, or was given to it by a turn."""

    __tablename__ = "messages"
    __table_args__ = (
        _one_of("status", ("queued", "delivered", "done")),
        _one_of("sender_kind", ("user", "coordinator", "worker", "system", "reminder")),
        Index(None, "agent_id", "status"),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    sender: Mapped[str]
    sender_kind: Mapped[str]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="queued")
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="SET NULL"))


class Task(Dated, Base):
    """A piece of work of a workflow, and what became of it."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("workflow_id", "key"),
        _state(TASK, "status"),
        _not_negative("retries"),
        _not_negative("attempt"),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    key: Mapped[str]
    title: Mapped[str]
    body: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str]
    assignee: Mapped[str | None]
    implementer_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id"))
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id"))
    run: Mapped[str | None]
    env: Mapped[str] = mapped_column(server_default="{}")
    timeout: Mapped[float | None]
    retries: Mapped[int] = mapped_column(server_default="0")
    attempt: Mapped[int] = mapped_column(server_default="0")
    exit_code: Mapped[int | None]
    inputs: Mapped[str] = mapped_column(server_default="{}")
    outputs: Mapped[str] = mapped_column(server_default="{}")
    thread_post_id: Mapped[int | None]
    failure: Mapped[str | None]
    started_at: Mapped[str | None]
    ended_at: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    worker: Mapped[str | None]


class TaskDependency(Dated, Base):
    """`task_id` waits for `depends_on_id`."""

    __tablename__ = "task_dependencies"
    __table_args__ = (Index(None, "depends_on_id"),)
    task_id: Mapped[int] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )
    depends_on_id: Mapped[int] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True
    )


class TaskComment(Dated, Base):
    """What somebody said about a task."""

    __tablename__ = "task_comments"
    __table_args__ = (Index(None, "task_id"),)
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    author: Mapped[str]
    body: Mapped[str]


class Channel(Dated, Base):
    """A place where agents of a workflow post."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("workflow_id", "slug"),)
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    slug: Mapped[str]


class Post(Dated, Base):
    """A text in a channel; a reply names its thread's first post as parent."""

    __tablename__ = "posts"
    __table_args__ = (
        _one_of("kind", ("info", "request", "response", "completion", "error")),
        Index(None, "channel_id"),
        Index(None, "parent_id"),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    author: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="info")
    body: Mapped[str]


class PostMention(Dated, Base):
    """A post names an agent."""

    __tablename__ = "post_mentions"
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )


class Subscription(Dated, Base):
    """What an agent wants to hear of a channel."""

    __tablename__ = "subscriptions"
    __table_args__ = (_one_of("mode", ("all", "mentions", "none")),)
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )
    channel_id: Mapped[int] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    )
    mode: Mapped[str]


class Ack(Dated, Base):
    """An agent has read a post."""

    __tablename__ = "acks"
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )


class Artifact(Dated, Base):
    """A file that a post refers to by its path."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "post_id"),)
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    name: Mapped[str]
    path: Mapped[str]
    media_type: Mapped[str | None]
    size_bytes: Mapped[int | None]
    author: Mapped[str]


class Command(Dated, Base):
    """A durable request to change something."""

    __tablename__ = "commands"
    __table_args__ = (
        _state(COMMAND, "status"),
        _one_of("source", ("user", "mcp", "health", "engine", "agent")),
        Index("ix_commands_queued", "id", sqlite_where=text("status = 'queued'")),
        Index(
            "uq_commands_request",
            "agent_id",
            "request_key",
            unique=True,
            sqlite_where=text("request_key IS NOT NULL"),
        ),
        Index(None, "workflow_id"),
        _IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id", ondelete="SET NULL"))
    kind: Mapped[str]
    args: Mapped[str] = mapped_column(server_default="{}")
    source: Mapped[str]
    request_key: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="queued")
    result: Mapped[str | None]
    error: Mapped[str | None]
    started_at: Mapped[str | None]
    finished_at: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    origin: Mapped[str | None]


class Lease(Dated, Base):
    """A held resource: a workflow slot, a worker slot, an AI call, a port."""

    __tablename__ = "leases"
    __table_args__ = (
        _one_of("kind", ("workflow", "worker", "ai_call", "port")),
        Index("uq_leases_port", "value", unique=True, sqlite_where=text("kind = 'port'")),
        Index(
            "uq_leases_workflow",
            "kind",
            "workflow_id",
            unique=True,
            sqlite_where=text("agent_id IS NULL"),
        ),
        Index(
            "uq_leases_agent",
            "kind",
            "agent_id",
            unique=True,
            sqlite_where=text("agent_id IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    kind: Mapped[str]
    value: Mapped[int | None]
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    acquired_at: Mapped[str]


class ResourceLimit(Dated, Base):
    """A limit as the engine has it now; `value` None means none."""

    __tablename__ = "resource_limits"
    resource: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]


class Totals(Base):
    """What all workflows used together, ever: one row."""

    __tablename__ = "totals"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tokens: Mapped[int] = mapped_column(server_default="0")
    cost_usd: Mapped[float] = mapped_column(server_default="0")


class Event(Base):
    """A fact that happened. `seq` is never used again, and its order is commit order."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "workflow_id", "seq"),
        Index("ix_events_agent", "agent_id", "seq", sqlite_where=text("agent_id IS NOT NULL")),
        Index("ix_events_inbox", "type", "seq", sqlite_where=text(IN_INBOX)),
        _IDS_ONCE,
    )
    seq: Mapped[int] = mapped_column(_Key, primary_key=True)
    workflow_id: Mapped[str | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None]
    task_id: Mapped[int | None]
    turn_id: Mapped[int | None]
    type: Mapped[str]
    payload: Mapped[str]
    created_at: Mapped[str]


class ProviderHold(Dated, Base):
    """A provider whose quota is used up: no turn of it is started until then."""

    __tablename__ = "provider_holds"
    provider: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[str]
    reason: Mapped[str]
    probe_at: Mapped[str | None]
    said_by: Mapped[str | None]


class ProviderLimit(Dated, Base):
    """How far one window of a provider's quota is used, as a share, as its CLI told it last."""

    __tablename__ = "provider_limits"
    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    window: Mapped[str]
    used: Mapped[float]
    resets_at: Mapped[str | None]


class InboxAck(Dated, Base):
    """A person took note of an event that was in the inbox."""

    __tablename__ = "inbox_acks"
    seq: Mapped[int] = mapped_column(
        ForeignKey("events.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    origin: Mapped[str | None]


class Cursor(Dated, Base):
    """How far a durable subscriber has read."""

    __tablename__ = "cursors"
    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]


class Engine(Dated, Base):
    """The engine that runs, or ran last: one row."""

    __tablename__ = "engine"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    pid: Mapped[int]
    host: Mapped[str]
    boot_id: Mapped[str]
    version: Mapped[str]
    started_at: Mapped[str]
    heartbeat_at: Mapped[str]
    ended_at: Mapped[str | None]
    clock_offset: Mapped[float | None]
    """What the clock showed at the heartbeat, less the seconds since the machine started."""
    start_ticks: Mapped[int | None]
