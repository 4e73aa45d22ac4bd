"""Questions of agents to the person.

Revision: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""CREATE TABLE questions (
    id INTEGER NOT NULL CONSTRAINT pk_questions PRIMARY KEY AUTOINCREMENT,
    workflow_id TEXT NOT NULL,
    agent_id INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    task_id INTEGER,
    turn_id INTEGER,
    text TEXT NOT NULL,
    options TEXT DEFAULT '[]' NOT NULL,
    default_answer TEXT,
    status TEXT DEFAULT 'open' NOT NULL,
    answer TEXT,
    answered_at TEXT,
    answered_by TEXT,
    version INTEGER DEFAULT 0 NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT ck_questions_status CHECK (status IN ('open', 'answered', 'closed')),
    CONSTRAINT fk_questions_workflow_id_workflows FOREIGN KEY(workflow_id)
        REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_agent_id_agents FOREIGN KEY(agent_id)
        REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_task_id_tasks FOREIGN KEY(task_id)
        REFERENCES tasks (id) ON DELETE SET NULL,
    CONSTRAINT fk_questions_turn_id_turns FOREIGN KEY(turn_id)
        REFERENCES turns (id) ON DELETE SET NULL
)""")
    op.execute("CREATE INDEX ix_questions_workflow_id_status ON questions (workflow_id, status)")
    op.execute("CREATE INDEX ix_questions_agent_id ON questions (agent_id)")


def downgrade() -> None:
    op.execute("DROP TABLE questions")
