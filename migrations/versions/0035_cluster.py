"""How the engine stands with its cluster.

Revision: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cluster",
        sa.Column("id", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("problem", _TEXT, server_default="", nullable=False),
        sa.Column("since", _TEXT, nullable=False),
        sa.Column("lost_after", sa.Double(), nullable=True),
        sa.Column("fenced_after", sa.Double(), nullable=False),
        sa.Column("version", _WHOLE, server_default="0", nullable=False),
        sa.Column("created_at", _TEXT, nullable=False),
        sa.Column("updated_at", _TEXT, nullable=False),
        sa.CheckConstraint(
            "state IN ('connecting', 'connected', 'unreachable')", name=op.f("ck_cluster_state")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_cluster_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
    )


def downgrade() -> None:
    op.drop_table("cluster")
