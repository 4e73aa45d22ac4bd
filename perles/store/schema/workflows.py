"""The rows of the database, as SQLAlchemy models: the truth that migrations are checked against.

Conventions: states are text, held by CHECK constraints to the machines of
`perles.domain.states`; times are ISO-8601 UTC text (`2026-01-31T10:22:14.123Z`);
JSON is text; so that a person with `sqlite3` reads rows bare. `version` is the
fencing counter of compare-and-swap.
"""

from perles.domain.priority import rank_sql
from perles.domain.states import WORKFLOW
from perles.store.expressions import (
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Mapped,
    mapped_column,
)
from perles.store.schema.base import Base, Dated, not_negative, one_of, state_of, where
from perles.store.sqlite.backend import days

RANK = rank_sql(days("start_requested_at"))
START_RANK = f"CASE WHEN state = 'pending' THEN {RANK} END"
"""Who starts next: the smallest; NULL waits for nothing. Ten minutes outweigh one priority."""
WAITS_TO_START = "start_rank IS NOT NULL"


class Workflow(Dated, Base):
    """An instance of a template: one coordinator and its workers."""

    __tablename__ = "workflows"
    __table_args__ = (
        state_of(WORKFLOW, "state"),
        CheckConstraint("priority BETWEEN 0 AND 2", name="priority"),
        one_of("health", ("unknown", "healthy", "degraded", "stuck")),
        not_negative("token_budget"),
        not_negative("tokens_used"),
        not_negative("cost_usd"),
        not_negative("cost_budget"),
        Index("ix_workflows_queue", "start_rank", "id", **where(WAITS_TO_START)),
        Index(None, "state", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "name"),
        Index("ix_workflows_unrecorded", "id", **where("unrecorded = 1")),
        Index("ix_workflows_open", "created_at", "id", **where("archived_at IS NULL")),
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
    ending: Mapped[str | None]
    """How it ends once the tasks that come last are over, as JSON; None: it is not ending."""
    retried_from: Mapped[str | None] = mapped_column(ForeignKey("workflows.id"))
    version: Mapped[int] = mapped_column(server_default="0")
    model: Mapped[str | None]
    worker_provider: Mapped[str | None]
    worker_model: Mapped[str | None]
    paused_s: Mapped[float] = mapped_column(server_default="0")
    """Seconds since `started_at` that are no uptime: pauses, and by how much the clock was set."""
    surroundings: Mapped[str] = mapped_column(server_default="{}")
    roles: Mapped[str] = mapped_column(server_default="{}")
    """Who is the observer, and who the workers of a type are, where that is said: JSON."""
    repository: Mapped[str | None]
    """The folder of the repository that the worktree belongs to."""
    base_commit: Mapped[str | None]
    """Where the branch left its base."""
    worktree_files: Mapped[str | None]
    """What comes along that git ignores, and checks of a merge: JSON, `copy`, `link`, `merge`."""
    merged: Mapped[str | None]
    """The last merge: JSON, `into`, `commit`, `tip` of the branch, `squash`, `at`."""
    pull_request: Mapped[str | None]
    """The pull request that was opened last: JSON, `url`, `number`, `title`, `base`, `at` …"""
    unrecorded: Mapped[int] = mapped_column(server_default="0")
    """Whether its session folder is to be told how it stands."""
    placement: Mapped[str | None]
    """Labels of the nodes on which its agents may run: JSON, a list; None for any place."""


class WorkflowLabel(Dated, Base):
    """A `key=value` that a person hung on a workflow."""

    __tablename__ = "workflow_labels"
    __table_args__ = (Index(None, "key", "value"),)
    workflow_id: Mapped[str] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
