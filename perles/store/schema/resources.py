"""Leases, limits, and what was used in all."""

from perles.store.expressions import (
    CheckConstraint,
    ForeignKey,
    Index,
    Mapped,
    UniqueConstraint,
    mapped_column,
)
from perles.store.schema.base import Base, Dated, Key, one_of, where


class Lease(Dated, Base):
    """A held resource: a workflow slot, a worker slot, an AI call, a port."""

    __tablename__ = "leases"
    __table_args__ = (
        one_of("kind", ("workflow", "worker", "ai_call", "port")),
        Index("uq_leases_port", "value", unique=True, **where("kind = 'port'")),
        Index(
            "uq_leases_workflow",
            "kind",
            "workflow_id",
            unique=True,
            **where("agent_id IS NULL"),
        ),
        Index(
            "uq_leases_agent",
            "kind",
            "agent_id",
            unique=True,
            **where("agent_id IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str]
    value: Mapped[int | None]
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    acquired_at: Mapped[str]


class NamedLease(Dated, Base):
    """A task's claim on a name that tasks of all workflows share: waiting, or held.

    `size` is how many may hold the name, as this task has it. It waits since `asked_at`, was told
    at `told_at` that it is next, and holds the name since `acquired_at`.
    """

    __tablename__ = "named_leases"
    __table_args__ = (
        UniqueConstraint("name", "task_id"),
        CheckConstraint("size > 0", name="size_positive"),
        Index(None, "task_id"),
        Index(None, "workflow_id"),
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    size: Mapped[int]
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    asked_at: Mapped[str]
    told_at: Mapped[str | None]
    acquired_at: Mapped[str | None]


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
