"""What is in the schema of a home's database on a server."""

from __future__ import annotations

from typing import Any


def tables(connection: Any) -> list[str]:
    """The names of the tables, in order."""
    query = (
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
        'ORDER BY tablename COLLATE "C"'
    )
    return [str(row[0]) for row in connection.execute(query)]


def has_table(connection: Any, name: str) -> bool:
    """Whether there is such a table."""
    query = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?"
    return connection.execute(query, (name,)).fetchone() is not None
