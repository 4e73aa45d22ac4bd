"""Reviews: verdicts and denials of a task, what git shows of it, and what was said in which round.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TASKS = ("verdict", "review_type", "question", "base_commit")


def upgrade() -> None:
    for name in _TASKS:
        op.add_column("tasks", sa.Column(name, sa.Text()))
    op.add_column(
        "tasks", sa.Column("denials", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("tasks", sa.Column("receipt", sa.Text(), server_default="{}", nullable=False))
    op.add_column("agents", sa.Column("blocked", sa.Text()))
    op.add_column(
        "task_comments", sa.Column("kind", sa.Text(), server_default="note", nullable=False)
    )
    for name in ("attempt", "round"):
        op.add_column(
            "task_comments", sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        )


def downgrade() -> None:
    for name in ("round", "attempt", "kind"):
        op.drop_column("task_comments", name)
    op.drop_column("agents", "blocked")
    for name in ("receipt", "denials", *_TASKS):
        op.drop_column("tasks", name)
