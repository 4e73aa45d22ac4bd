"""A task may be a service, and knows since when it is ready.

Revision: 0031
"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN serving_since TEXT")
    op.execute(
        "CREATE INDEX ix_tasks_services ON tasks (workflow_id, status) "
        "WHERE instr(execution, '\"service\":') > 0"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_tasks_services")
    op.execute("ALTER TABLE tasks DROP COLUMN serving_since")
