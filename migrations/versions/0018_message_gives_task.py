"""A message says which task it gives to its agent: that one is void when the task is taken back.

Revision: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE messages ADD COLUMN task_id INTEGER")


def downgrade() -> None:
    op.execute("ALTER TABLE messages DROP COLUMN task_id")
