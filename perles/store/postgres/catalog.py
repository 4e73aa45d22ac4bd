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


def numbers(connection: Any) -> dict[str, int]:
    """The last number that each table gave to a row, by the table's name."""
    query = (
        "SELECT t.relname, s.last_value FROM pg_sequences s "
        "JOIN pg_class c ON c.relname = s.sequencename "
        "AND c.relnamespace = s.schemaname::regnamespace "
        "JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'a' "
        "JOIN pg_class t ON t.oid = d.refobjid "
        "WHERE s.schemaname = current_schema() AND s.last_value IS NOT NULL"
    )
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def number_on(connection: Any, last: dict[str, int]) -> None:
    """Have tables give numbers after these."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_default LIKE 'nextval%'"
    )
    for table, column in connection.execute(query).fetchall():
        if last.get(table):
            text = "SELECT setval(pg_get_serial_sequence(?, ?), CAST(? AS bigint))"
            connection.execute(text, (table, column, last[table]))


def bytes_of(connection: Any) -> int:
    """What its tables take on the server's disk, with their indexes."""
    query = (
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relkind = 'r'"
    )
    return int(connection.execute(query).fetchone()[0])
