"""The epoch of the engine that leads; and, on PostgreSQL, the whole schema as it is by now.

No database on a server is older than this revision: there, those before it do nothing.

Revision: 0034
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from perles.store.postgres.functions import FUNCTIONS

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_SCHEMA = Path(__file__).parents[1] / "postgresql" / "0034.sql"


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        server = bind.connection.driver_connection
        for function in FUNCTIONS:
            server.execute(function)
        server.execute(_SCHEMA.read_text())
        return
    op.create_table(
        "leadership",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leadership_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leadership")),
    )


def downgrade() -> None:
    op.drop_table("leadership")
