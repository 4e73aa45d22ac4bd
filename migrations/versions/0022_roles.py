"""A workflow keeps who its observer is, and who the workers of a type are.

Revision: 0022
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workflows ADD COLUMN roles TEXT DEFAULT '{}' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE workflows DROP COLUMN roles")
