"""A task keeps how its command is run.

Revision: 0023
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN execution TEXT DEFAULT '{}' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE tasks DROP COLUMN execution")
