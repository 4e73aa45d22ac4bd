"""A workflow knows whether its session folder tells how it stands since it paused or ended.

Revision: 0026
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workflows ADD COLUMN unrecorded INTEGER DEFAULT 0 NOT NULL")
    op.execute("CREATE INDEX ix_workflows_unrecorded ON workflows (id) WHERE unrecorded = 1")


def downgrade() -> None:
    op.execute("DROP INDEX ix_workflows_unrecorded")
    op.execute("ALTER TABLE workflows DROP COLUMN unrecorded")
