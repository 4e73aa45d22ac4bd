"""Events, and how far they were read."""

from perles.store.expressions import ForeignKey, Index, Mapped, mapped_column
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, where

IN_INBOX = (
    "type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed')"
)


class Event(Base):
    """A fact that happened. `seq` is never used again, and its order is commit order."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "workflow_id", "seq"),
        Index("ix_events_agent", "agent_id", "seq", **where("agent_id IS NOT NULL")),
        Index("ix_events_inbox", "type", "seq", **where(IN_INBOX)),
        IDS_ONCE,
    )
    seq: Mapped[int] = mapped_column(Key, primary_key=True)
    workflow_id: Mapped[str | None] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int | None]
    task_id: Mapped[int | None]
    turn_id: Mapped[int | None]
    type: Mapped[str]
    payload: Mapped[str]
    created_at: Mapped[str]


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
