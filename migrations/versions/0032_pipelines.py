"""The tasks of a workflow are found by their state; a turn may be its task's command itself.

Revision: 0032
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_tasks_workflow_id_status ON tasks (workflow_id, status)")
    op.execute("ALTER TABLE turns ADD COLUMN runs_command INTEGER DEFAULT 0 NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE turns DROP COLUMN runs_command")
    op.execute("DROP INDEX ix_tasks_workflow_id_status")
