"""Leases, limits, and what was used in all."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from perles.store.schema.base import Base, Dated, Key, one_of


class Lease(Dated, Base):
    """A held resource: a workflow slot, a worker slot, an AI call, a port."""

    __tablename__ = "leases"
    __table_args__ = (
        one_of("kind", ("workflow", "worker", "ai_call", "port")),
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
    id: Mapped[int] = mapped_column(Key, primary_key=True)
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
