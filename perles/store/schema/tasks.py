"""Tasks, what they wait for, and comments on them."""

from perles.domain.services import MARK
from perles.domain.states import TASK
from perles.store.expressions import (
    ForeignKey,
    Index,
    Mapped,
    UniqueConstraint,
    mapped_column,
)
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, not_negative, state_of, where

IS_SERVICE = f"instr(execution, '{MARK}') > 0"
"""A condition on rows of `tasks`, in SQL, as the index of services has it."""


class Task(Dated, Base):
    """A piece of work of a workflow, and what became of it."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("workflow_id", "key"),
        state_of(TASK, "status"),
        not_negative("retries"),
        not_negative("attempt"),
        Index(None, "workflow_id", "status"),
        Index(
            "ix_tasks_held",
            "workflow_id",
            "held_until",
            **where("held_until IS NOT NULL"),
        ),
        Index("ix_tasks_last", "workflow_id", "status", **where("stage = 1")),
        Index("ix_tasks_services", "workflow_id", "status", **where(IS_SERVICE)),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
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
    verdict: Mapped[str | None]
    """That of the attempt's last review: approved or denied."""
    denials: Mapped[int] = mapped_column(server_default="0")
    """Reviews of the attempt that ended with a denial."""
    review_type: Mapped[str | None]
    question: Mapped[str | None]
    """What a person is asked, where that is not the task's own text."""
    base_commit: Mapped[str | None]
    """Where the branch stood when the attempt began; "" before its first commit."""
    receipt: Mapped[str] = mapped_column(server_default="{}")
    """What git shows of the attempt: branch, commits and their files."""
    execution: Mapped[str] = mapped_column(server_default="{}")
    """How its command is run; {} is by sh without flags."""
    held_until: Mapped[str | None]
    """Until when it waits, pending, for its next attempt."""
    condition: Mapped[str | None]
    """When it runs, as `when` says; None: once all that it waits for succeeded."""
    tolerated: Mapped[int] = mapped_column(server_default="0")
    """1: it failed or was skipped, and what waits for it goes on as if it were done."""
    stage: Mapped[int] = mapped_column(server_default="0")
    """1: it comes last, once all others are over, however they ended."""
    serving_since: Mapped[str | None]
    """Since when a service is ready for the tasks that wait for it."""


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
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    author: Mapped[str]
    body: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="note")
    attempt: Mapped[int] = mapped_column(server_default="0")
    round: Mapped[int] = mapped_column(server_default="0")
    """The review that it belongs to, counted from 1 in each attempt."""
