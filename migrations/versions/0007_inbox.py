"""What a person took note of in the inbox, and an index to find what is in it.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

IN_INBOX = (
    "type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed')"
)


def upgrade() -> None:
    op.create_table(
        "inbox_acks",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["seq"], ["events.seq"], name=op.f("fk_inbox_acks_seq_events"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox_acks")),
    )
    op.create_index(
        "ix_events_inbox", "events", ["type", "seq"], sqlite_where=sa.text(IN_INBOX)
    )


def downgrade() -> None:
    op.drop_index("ix_events_inbox", "events")
    op.drop_table("inbox_acks")
