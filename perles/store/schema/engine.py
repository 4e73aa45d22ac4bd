"""Commands, and the engine that carries them out."""

from perles.domain.states import COMMAND
from perles.store.expressions import CheckConstraint, ForeignKey, Index, Mapped, mapped_column
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, one_of, state_of, where


class Command(Dated, Base):
    """A durable request to change something."""

    __tablename__ = "commands"
    __table_args__ = (
        state_of(COMMAND, "status"),
        one_of("source", ("user", "mcp", "health", "engine", "agent")),
        Index("ix_commands_queued", "id", **where("status = 'queued'")),
        Index(
            "uq_commands_request",
            "agent_id",
            "request_key",
            unique=True,
            **where("request_key IS NOT NULL"),
        ),
        Index(None, "workflow_id"),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
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
