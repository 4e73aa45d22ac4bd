"""Ids that somebody remembers are never used again, also when the newest rows are pruned.

SQLite gives an id again once the highest row is gone, unless the table says AUTOINCREMENT.

Revision: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("agents", "turns", "messages", "tasks", "posts", "commands")


def upgrade() -> None:
    for table in TABLES:
        _remake(table, "PRIMARY KEY AUTOINCREMENT", "")


def downgrade() -> None:
    for table in TABLES:
        _remake(table, "", f"CONSTRAINT pk_{table} PRIMARY KEY (id), \n\t")


def _remake(table: str, of_column: str, of_table: str) -> None:
    """Make a table anew with another primary key; all else, and all rows, stay as they are."""
    connection = op.get_bind()
    found = connection.exec_driver_sql(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') "
        "AND sql IS NOT NULL",
        (table,),
    ).fetchall()
    (made,) = [sql for kind, sql in found if kind == "table"]
    # Views and foreign keys go on meaning the table of this name, which is away for a moment.
    connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO old_{table}")
    connection.exec_driver_sql(_with_key(made, table, of_column, of_table))
    connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM old_{table}")
    connection.exec_driver_sql(f"DROP TABLE old_{table}")
    connection.exec_driver_sql("PRAGMA legacy_alter_table=OFF")
    for kind, sql in found:
        if kind == "index":
            connection.exec_driver_sql(sql)


def _with_key(made: str, table: str, of_column: str, of_table: str) -> str:
    """A CREATE TABLE statement with its primary key at the column `id`, or at its end."""
    plain = made.replace(f"CONSTRAINT pk_{table} PRIMARY KEY (id), \n\t", "")
    plain = plain.replace("id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "id INTEGER NOT NULL")
    key = f"id INTEGER NOT NULL {of_column}".rstrip()
    with_column = plain.replace("id INTEGER NOT NULL", key, 1)
    first_rule = with_column.index("CONSTRAINT ")
    return with_column[:first_rule] + of_table + with_column[first_rule:]
