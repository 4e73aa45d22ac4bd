"""Questions of agents to the person."""

from perles.domain.states import QUESTION
from perles.store.expressions import ForeignKey, Index, Mapped, mapped_column
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, state_of


class Question(Dated, Base):
    """What an agent asked; `agent_id` is who gets the answer, `asked_by` the name that asked."""

    __tablename__ = "questions"
    __table_args__ = (
        state_of(QUESTION, "status"),
        Index(None, "workflow_id", "status"),
        Index(None, "agent_id"),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    asked_by: Mapped[str]
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id", ondelete="SET NULL"))
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="SET NULL"))
    text: Mapped[str]
    options: Mapped[str] = mapped_column(server_default="[]")
    default_answer: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="open")
    answer: Mapped[str | None]
    answered_at: Mapped[str | None]
    answered_by: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
