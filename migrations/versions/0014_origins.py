"""A command says who asked for it: the process, its terminal, and the agent that it belongs to.

Revision: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BEFORE = "source IN ('user', 'mcp', 'health', 'engine')"
AFTER = "source IN ('user', 'mcp', 'health', 'engine', 'agent')"


def upgrade() -> None:
    op.execute("ALTER TABLE commands ADD COLUMN origin TEXT")
    _remake(BEFORE, AFTER)


def downgrade() -> None:
    op.execute("UPDATE commands SET source = 'user' WHERE source = 'agent'")
    op.execute("ALTER TABLE commands DROP COLUMN origin")
    _remake(AFTER, BEFORE)


def _remake(old: str, new: str) -> None:
    """Make the table anew with another rule; all rows, and the highest id ever used, stay."""
    connection = op.get_bind()
    found = connection.exec_driver_sql(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = 'commands' "
        "AND type IN ('table', 'index') AND sql IS NOT NULL"
    ).fetchall()
    (made,) = [sql for kind, sql in found if kind == "table"]
    # Views and foreign keys go on meaning the table of this name, which is away for a moment.
    connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
    connection.exec_driver_sql("ALTER TABLE commands RENAME TO old_commands")
    connection.exec_driver_sql(made.replace(old, new))
    connection.exec_driver_sql("INSERT INTO commands SELECT * FROM old_commands")
    connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'commands'")
    connection.exec_driver_sql(
        "UPDATE sqlite_sequence SET name = 'commands' WHERE name = 'old_commands'"
    )
    connection.exec_driver_sql("DROP TABLE old_commands")
    connection.exec_driver_sql("PRAGMA legacy_alter_table=OFF")
    for kind, sql in found:
        if kind == "index":
            connection.exec_driver_sql(sql)
