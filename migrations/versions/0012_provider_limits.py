"""How far accounts of providers are used, and who said that one is used up.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_limits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.Column("resets_at", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_limits")),
    )
    op.add_column("provider_holds", sa.Column("probe_at", sa.Text(), nullable=True))
    op.add_column("provider_holds", sa.Column("said_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("provider_holds", "said_by")
    op.drop_column("provider_holds", "probe_at")
    op.drop_table("provider_limits")
