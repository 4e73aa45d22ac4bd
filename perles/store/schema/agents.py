"""Agents, their turns and messages, and what their providers tell of limits."""

from perles.domain.states import AGENT, PHASE, TURN
from perles.store.expressions import (
    ForeignKey,
    Index,
    Mapped,
    UniqueConstraint,
    mapped_column,
)
from perles.store.schema.base import (
    IDS_ONCE,
    Base,
    Dated,
    Key,
    not_negative,
    one_of,
    state_of,
    where,
)


class Agent(Dated, Base):
    """A role in a workflow: coordinator, worker-N (N is never used again) or observer."""

    __tablename__ = "agents"
    __table_args__ = (
        UniqueConstraint("workflow_id", "name"),
        one_of("role", ("coordinator", "worker", "observer")),
        state_of(AGENT, "status"),
        state_of(PHASE, "phase"),
        Index(None, "token"),
        Index(None, "status"),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
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
    successor_id: Mapped[int | None]
    """The agent that took its place, by its id."""
    blocked: Mapped[str | None]
    """Why it said that it cannot go on, until its next turn."""
    node: Mapped[str | None]
    """The node on which it works; None for this machine."""
    unplaced: Mapped[str | None]
    """Why no node can take its next turn now, in words."""


class Turn(Dated, Base):
    """One run of an agent's process: the unit of work, cost and recovery."""

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("agent_id", "number"),
        state_of(TURN, "status"),
        not_negative("stdout_offset"),
        Index(None, "workflow_id"),
        Index(
            "ix_turns_open",
            "status",
            **where("status IN ('queued', 'starting', 'running')"),
        ),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
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
    runs_command: Mapped[int] = mapped_column(server_default="0")
    """Whether its process is its task's command itself: the exit status is the report."""


class Message(Dated, Base):
    """Text that waits for an agent, or was given to it by a turn."""

    __tablename__ = "messages"
    __table_args__ = (
        one_of("status", ("queued", "delivered", "done")),
        one_of("sender_kind", ("user", "coordinator", "worker", "system", "reminder")),
        Index(None, "agent_id", "status"),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    sender: Mapped[str]
    sender_kind: Mapped[str]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="queued")
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="SET NULL"))
    task_id: Mapped[int | None]  # the task that it gives to the agent; as `Agent.task_id`


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
