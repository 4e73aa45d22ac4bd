"""Whoever takes note of an inbox entry is kept with it.

Revision: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE inbox_acks ADD COLUMN origin TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE inbox_acks DROP COLUMN origin")
