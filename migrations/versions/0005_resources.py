"""Budgets of money, reservations, the line of waiting workflows, and limits as the engine has them.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Ten minutes of waiting outweigh one step of priority: the smallest rank is the next to start.
START_RANK = (
    "CASE WHEN state = 'pending' "
    "THEN julianday(start_requested_at) - priority * 10.0 / 1440 END"
)
WAITS = "start_rank IS NOT NULL"

WORKFLOW_OVERVIEW = """
SELECT
    w.id, w.name, w.template_id, w.state, w.priority, w.health, w.reason,
    (SELECT count(*) FROM agents a WHERE a.workflow_id = w.id AND a.role = 'worker'
        AND a.status IN ('pending', 'ready', 'working', 'paused')) AS workers,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id) AS tasks_total,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id AND t.status = 'done') AS tasks_done,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id AND t.status = 'failed')
        AS tasks_failed,
    w.tokens_used, w.token_budget, w.cost_usd, w.cost_budget, w.mcp_port, w.work_dir, w.branch,
    w.provider, w.created_at, w.started_at, w.ended_at, w.start_requested_at, w.archived_at,
    w.last_heartbeat_at, w.last_progress_at, w.session_dir,
    CASE WHEN w.started_at IS NULL THEN NULL ELSE CAST(
        strftime('%s', coalesce(w.ended_at, 'now')) - strftime('%s', w.started_at) AS INTEGER)
    END AS uptime_s,
    CASE
        WHEN w.waiting_for_user THEN 'waiting for you'
        WHEN w.health IN ('degraded', 'stuck') AND w.state = 'running' THEN w.health
        WHEN w.state = 'failed' THEN 'failed'
    END AS attention
FROM workflows w
"""
AGENT_OVERVIEW = """
SELECT
    a.id, a.workflow_id, a.name, a.role, a.agent_type, a.provider, a.model, a.status, a.phase,
    k.key AS task, t.pid, t.number AS turn, t.status AS turn_status,
    a.tokens_in, a.tokens_out, a.tokens_cached, a.context_used, a.context_window, a.cost_usd,
    a.last_activity_at, a.created_at, a.retired_at,
    (SELECT count(*) FROM messages m WHERE m.agent_id = a.id AND m.status = 'queued') AS queued
FROM agents a
LEFT JOIN tasks k ON k.id = a.task_id
LEFT JOIN turns t ON t.agent_id = a.id AND t.status IN ('queued', 'starting', 'running')
"""
START_QUEUE = f"""
SELECT id, name, priority, start_requested_at,
    row_number() OVER (ORDER BY start_rank, id) AS place
FROM workflows WHERE {WAITS}
"""
RESOURCE_USAGE = f"""
SELECT 'workflows' AS resource,
    (SELECT value FROM resource_limits WHERE resource = 'workflows') AS "limit",
    (SELECT count(*) FROM leases WHERE kind = 'workflow') AS used,
    (SELECT count(*) FROM workflows WHERE {WAITS}) AS waiting
UNION ALL SELECT 'workers',
    (SELECT value FROM resource_limits WHERE resource = 'workers'),
    (SELECT count(*) FROM leases WHERE kind = 'worker'),
    (SELECT count(*) FROM workflows WHERE state = 'running' AND worker_requested_at IS NOT NULL)
UNION ALL SELECT 'ai_calls',
    (SELECT value FROM resource_limits WHERE resource = 'ai_calls'),
    (SELECT count(*) FROM leases WHERE kind = 'ai_call'),
    (SELECT count(*) FROM turns WHERE status = 'queued')
UNION ALL SELECT 'ports',
    (SELECT value FROM resource_limits WHERE resource = 'ports'),
    (SELECT count(*) FROM leases WHERE kind = 'port'),
    0
UNION ALL SELECT 'tokens',
    (SELECT value FROM resource_limits WHERE resource = 'tokens'),
    (SELECT tokens FROM totals), 0
UNION ALL SELECT 'cost_usd',
    (SELECT value FROM resource_limits WHERE resource = 'cost_usd'),
    (SELECT cost_usd FROM totals), 0
"""
VIEWS = {
    "workflow_overview": WORKFLOW_OVERVIEW,
    "running_workflows": "SELECT * FROM workflow_overview WHERE state = 'running'",
    "agent_overview": AGENT_OVERVIEW,
    "start_queue": START_QUEUE,
    "resource_usage": RESOURCE_USAGE,
}


def upgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW IF EXISTS {name}")
    op.execute(
        "ALTER TABLE workflows ADD COLUMN cost_budget DOUBLE DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_workflows_cost_budget_not_negative CHECK (cost_budget >= 0)"
    )
    op.execute(
        "ALTER TABLE workflows ADD COLUMN start_rank DOUBLE "
        f"GENERATED ALWAYS AS ({START_RANK}) VIRTUAL"
    )
    op.add_column("workflows", sa.Column("worker_requested_at", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("worker_offered_at", sa.Text(), nullable=True))
    op.add_column(
        "turns", sa.Column("tokens_reserved", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "turns", sa.Column("cost_reserved", sa.Double(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_workflows_queue", "workflows", ["start_rank", "id"], sqlite_where=sa.text(WAITS)
    )
    op.create_table(
        "resource_limits",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_resource_limits")),
    )
    op.create_table(
        "totals",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cost_usd", sa.Double(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_totals_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totals")),
    )
    op.execute(
        "INSERT INTO totals (id, tokens, cost_usd) "
        "SELECT 1, coalesce(sum(tokens_used), 0), coalesce(sum(cost_usd), 0) FROM workflows"
    )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
