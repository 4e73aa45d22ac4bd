"""What an agent's session had used when a turn of it began.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("session_base", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("turns", "session_base")
