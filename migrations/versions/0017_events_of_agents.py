"""An agent's events are found without a look at those of all others in its workflow.

Revision: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_events_agent ON events (agent_id, seq) WHERE agent_id IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_events_agent")
