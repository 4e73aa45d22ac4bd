"""What durations need beside dates, and by what an engine is known to be alive.

`workflows.paused_s`: seconds since `started_at` that are no uptime. `engine.clock_offset`: what
the clock showed less the time since the machine started. `engine.start_ticks`: with pid and boot
id, which process it is.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_RUNNING = "CREATE VIEW running_workflows AS SELECT * FROM workflow_overview WHERE state = 'running'"
OLD_UPTIME = """CAST(
        strftime('%s', coalesce(w.ended_at, 'now')) - strftime('%s', w.started_at) AS INTEGER)"""
UPTIME = """max(0, CAST(
        strftime('%s', coalesce(w.paused_at, w.ended_at, 'now')) - strftime('%s', w.started_at)
        - w.paused_s AS INTEGER))"""


def upgrade() -> None:
    op.add_column(
        "workflows", sa.Column("paused_s", sa.Double(), server_default="0", nullable=False)
    )
    op.add_column("engine", sa.Column("clock_offset", sa.Double(), nullable=True))
    op.add_column("engine", sa.Column("start_ticks", sa.Integer(), nullable=True))
    _remake_view(OLD_UPTIME, UPTIME)


def downgrade() -> None:
    _remake_view(UPTIME, OLD_UPTIME)
    op.drop_column("engine", "start_ticks")
    op.drop_column("engine", "clock_offset")
    op.drop_column("workflows", "paused_s")


def _remake_view(old: str, new: str) -> None:
    connection = op.get_bind()
    (made,) = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE name = 'workflow_overview'"
    ).fetchone()
    assert old in made
    connection.exec_driver_sql("DROP VIEW running_workflows")
    connection.exec_driver_sql("DROP VIEW workflow_overview")
    connection.exec_driver_sql(made.replace(old, new))
    connection.exec_driver_sql(OF_RUNNING)
