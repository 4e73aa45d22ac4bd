"""What a workflow's processes need of where it was created: environment and umask, as JSON.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "workflows", sa.Column("surroundings", sa.Text(), server_default="{}", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("workflows", "surroundings")
