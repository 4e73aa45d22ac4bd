"""How many turns in a row of an agent ended in words, where a tool call was due.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "agents", sa.Column("silences", sa.Integer(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("agents", "silences")
