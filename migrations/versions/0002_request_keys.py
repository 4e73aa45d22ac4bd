"""Commands remember the key of the request they answer, so that one asked twice is done once.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("commands", sa.Column("request_key", sa.Text(), nullable=True))
    op.create_index(
        "uq_commands_request",
        "commands",
        ["agent_id", "request_key"],
        unique=True,
        sqlite_where=sa.text("request_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_commands_request", "commands")
    op.drop_column("commands", "request_key")
