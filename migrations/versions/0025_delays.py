"""A task may wait until a time for its next attempt.

Revision: 0025
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN held_until TEXT")
    op.execute(
        "CREATE INDEX ix_tasks_held ON tasks (workflow_id, held_until) WHERE held_until IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_tasks_held")
    op.execute("ALTER TABLE tasks DROP COLUMN held_until")
