"""What waits in the inboxes of agents, who takes part in a thread, and what the person has read.

Revision: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TABLES = (
    """CREATE TABLE thread_members (
    post_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_thread_members PRIMARY KEY (post_id, agent_id),
    CONSTRAINT fk_thread_members_post_id_posts
        FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_thread_members_agent_id_agents
        FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
)""",
    """CREATE TABLE inbox_items (
    agent_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    told_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_inbox_items PRIMARY KEY (agent_id, post_id),
    CONSTRAINT fk_inbox_items_agent_id_agents
        FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_inbox_items_post_id_posts
        FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
)""",
    "CREATE INDEX ix_inbox_items_untold ON inbox_items (agent_id, post_id) WHERE told_at IS NULL",
    "CREATE INDEX ix_inbox_items_post_id ON inbox_items (post_id)",
    """CREATE TABLE channel_reads (
    channel_id INTEGER NOT NULL,
    last_post_id INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_channel_reads PRIMARY KEY (channel_id),
    CONSTRAINT fk_channel_reads_channel_id_channels
        FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
)""",
)


def upgrade() -> None:
    for table in _TABLES:
        op.execute(table)
    op.execute("CREATE INDEX ix_posts_threads ON posts (channel_id) WHERE parent_id IS NULL")
    op.execute("ALTER TABLE channels ADD COLUMN threads INTEGER NOT NULL DEFAULT '0'")
    op.execute("ALTER TABLE posts ADD COLUMN replies INTEGER NOT NULL DEFAULT '0'")
    op.execute("ALTER TABLE agents ADD COLUMN successor_id INTEGER")


def downgrade() -> None:
    op.execute("ALTER TABLE agents DROP COLUMN successor_id")
    op.execute("ALTER TABLE posts DROP COLUMN replies")
    op.execute("ALTER TABLE channels DROP COLUMN threads")
    op.execute("DROP INDEX ix_posts_threads")
    for table in ("channel_reads", "inbox_items", "thread_members"):
        op.execute(f"DROP TABLE {table}")
