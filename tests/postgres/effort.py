"""What the database does for who reads it, on SQLite's file or on a server."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from perles.store.postgres import sessions
from tests.postgres.homes import is_on

STEP: Final = 100
"""Instructions of SQLite's machine between two counts."""
_READ: Final = (
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
)


def effort(connection: Any, work: Callable[[], object]) -> int:
    """What this work on a connection costs: hundreds of SQLite's instructions, rows of a server."""
    if is_on():
        _know_the_tables(connection)
        before = _rows_read(connection)
        work()
        return _rows_read(connection) - before
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(one_more, STEP)
    work()
    connection.set_progress_handler(None, 0)
    return count


def _know_the_tables(connection: Any) -> None:
    """Have the server count what is in the tables, as it does by itself where users have one."""
    with closing(sessions.connect(connection.address)) as session:
        session.script("ANALYZE")


def _rows_read(connection: Any) -> int:
    """How many rows of tables were read until now, whether or not an answer had them."""
    connection.script("SELECT pg_stat_force_next_flush()")
    connection.script("SELECT pg_stat_clear_snapshot()")
    return int(connection.script(_READ)[0][0])


def statements(connection: Any) -> list[str]:
    """The statements that a connection is asked from now on, as they come."""
    asked: list[str] = []
    if not is_on():
        connection.set_trace_callback(asked.append)
        return asked
    execute = connection.execute

    def heard(sql: str, *params: Any) -> Any:
        asked.append(sql)
        return execute(sql, *params)

    connection.execute = heard
    return asked
