"""Workflows in worktrees: of which repository, from which commit, what comes along, what was merged.

Revision: 0024
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_COLUMNS = ("repository", "base_commit", "worktree_files", "merged")


def upgrade() -> None:
    for name in _COLUMNS:
        op.execute(f"ALTER TABLE workflows ADD COLUMN {name} TEXT")


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.execute(f"ALTER TABLE workflows DROP COLUMN {name}")
