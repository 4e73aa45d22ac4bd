"""Tasks may have a condition, may be allowed to fail, or may come last; ends that wait for those.

Revision: 0028
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN condition TEXT")
    op.execute("ALTER TABLE tasks ADD COLUMN tolerated INTEGER DEFAULT '0' NOT NULL")
    op.execute("ALTER TABLE tasks ADD COLUMN stage INTEGER DEFAULT '0' NOT NULL")
    op.execute("CREATE INDEX ix_tasks_last ON tasks (workflow_id, status) WHERE stage = 1")
    op.execute("ALTER TABLE workflows ADD COLUMN ending TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE workflows DROP COLUMN ending")
    op.execute("DROP INDEX ix_tasks_last")
    op.execute("ALTER TABLE tasks DROP COLUMN stage")
    op.execute("ALTER TABLE tasks DROP COLUMN tolerated")
    op.execute("ALTER TABLE tasks DROP COLUMN condition")
