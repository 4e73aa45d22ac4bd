"""Agents of several providers: a choice per role and per task, back-offs, and providers on hold.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workflows", sa.Column("model", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("worker_provider", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("worker_model", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("worker", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("session_totals", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("held_until", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("holds", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "provider_holds",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_holds")),
    )


def downgrade() -> None:
    op.drop_table("provider_holds")
    op.drop_column("agents", "holds")
    op.drop_column("agents", "held_until")
    op.drop_column("agents", "session_totals")
    op.drop_column("tasks", "worker")
    op.drop_column("workflows", "worker_model")
    op.drop_column("workflows", "worker_provider")
    op.drop_column("workflows", "model")
