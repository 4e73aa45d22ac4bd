"""The machines of a cluster, and on which of them an agent is.

Revision: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Text(), server_default="[]", nullable=False),
        sa.Column("facts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("problems", sa.Text(), server_default="[]", nullable=False),
        sa.Column("drain", sa.Integer(), server_default="0", nullable=False),
        sa.Column("joined_at", sa.Text(), nullable=False),
        sa.Column("last_heard_at", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('ready', 'draining', 'unreachable', 'gone')", name="ck_nodes_state"
        ),
        sa.CheckConstraint("slots >= 0", name="ck_nodes_slots_not_negative"),
        sa.PrimaryKeyConstraint("id", name="pk_nodes"),
    )
    op.add_column("agents", sa.Column("node", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("unplaced", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("placement", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("workflows", "placement")
    op.drop_column("agents", "unplaced")
    op.drop_column("agents", "node")
    op.drop_table("nodes")
