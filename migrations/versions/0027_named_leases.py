"""Tasks of all workflows share names: mutexes and limits.

Revision: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE named_leases (
            id INTEGER NOT NULL,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            task_id INTEGER NOT NULL,
            workflow_id TEXT NOT NULL,
            asked_at TEXT NOT NULL,
            told_at TEXT,
            acquired_at TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            CONSTRAINT pk_named_leases PRIMARY KEY (id),
            CONSTRAINT uq_named_leases_name_task_id UNIQUE (name, task_id),
            CONSTRAINT ck_named_leases_size_positive CHECK (size > 0),
            CONSTRAINT fk_named_leases_task_id_tasks FOREIGN KEY (task_id)
                REFERENCES tasks (id) ON DELETE CASCADE,
            CONSTRAINT fk_named_leases_workflow_id_workflows FOREIGN KEY (workflow_id)
                REFERENCES workflows (id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX ix_named_leases_task_id ON named_leases (task_id)")
    op.execute("CREATE INDEX ix_named_leases_workflow_id ON named_leases (workflow_id)")


def downgrade() -> None:
    op.execute("DROP TABLE named_leases")
