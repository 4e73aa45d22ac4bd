"""The pull request that was opened of a workflow's branch.

Revision: 0029
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workflows ADD COLUMN pull_request TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE workflows DROP COLUMN pull_request")
