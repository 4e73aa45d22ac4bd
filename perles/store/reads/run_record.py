"""What a session folder keeps of its workflow, row by row. By the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from perles.config.home import found as found_at
from perles.store.place import home_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection, Row

Json = dict[str, Any]

MAX_ROWS: Final = 100_000
"""Messages, and posts, of a workflow that are written."""
MAX_BODY: Final = 100_000
"""Characters of one of them."""
MAX_SESSIONS: Final = 10_000
"""The newest sessions, which the index lists."""

_MESSAGES: Final = (
    'SELECT m.id, m.created_at AS at, m.sender AS "from", m.sender_kind AS kind, a.name AS "to", '
    "m.status, t.number AS turn, substr(m.body, 1, :most) AS body, length(m.body) AS length "
    "FROM messages m JOIN agents a ON a.id = m.agent_id LEFT JOIN turns t ON t.id = m.turn_id "
    "WHERE a.workflow_id = :id ORDER BY m.id LIMIT :rows"
)
_POSTS: Final = (
    "SELECT p.id, p.created_at AS at, c.slug AS channel, p.parent_id AS reply_to, "
    'p.author AS "from", p.kind, substr(p.body, 1, :most) AS body, length(p.body) AS length '
    "FROM posts p JOIN channels c ON c.id = p.channel_id "
    "WHERE c.workflow_id = :id ORDER BY p.id LIMIT :rows"
)
_COMMANDS: Final = "SELECT key, run FROM tasks WHERE workflow_id = ? ORDER BY id"
_SESSION: Final = (
    "SELECT id, name, state, reason, work_dir, session_dir, created_at, started_at, ended_at, "
    "tokens_used, cost_usd FROM workflows WHERE session_dir IS NOT NULL"
)
_SESSIONS: Final = f"{_SESSION} ORDER BY created_at DESC, id LIMIT ?"


def messages(connection: Connection, workflow_id: str) -> Iterator[Json]:
    """The messages to its agents, in the order in which they were sent."""
    return _rows(connection, _MESSAGES, workflow_id)


def posts(connection: Connection, workflow_id: str) -> Iterator[Json]:
    """What was posted, in order."""
    return _rows(connection, _POSTS, workflow_id)


def _rows(connection: Connection, query: str, workflow_id: str) -> Iterator[Json]:
    values = {"id": workflow_id, "most": MAX_BODY, "rows": MAX_ROWS}
    for row in connection.execute(query, values):
        found = dict(row)
        length = found.pop("length")
        if length > MAX_BODY:
            found["cut"] = length
        yield found


def commands(connection: Connection, workflow_id: str) -> dict[str, str | None]:
    """The command of each task, by its key; None for one without."""
    return dict(connection.execute(_COMMANDS, (workflow_id,)).fetchall())


def sessions(connection: Connection | None, limit: int = MAX_SESSIONS) -> list[Json]:
    """Workflows with a session folder, newest first, as `sessions list --json` has them."""
    if connection is None:
        return []
    home = home_of(connection)
    return [_located(home, row) for row in connection.execute(_SESSIONS, (limit,))]


def session(connection: Connection, workflow_id: str) -> Json | None:
    """One of them; None where it has no session folder, or is gone."""
    row = connection.execute(f"{_SESSION} AND id = ?", (workflow_id,)).fetchone()
    return None if row is None else _located(home_of(connection), row)


def _located(home: str, row: Row) -> Json:
    return {**dict(row), "session_dir": found_at(home, row["session_dir"])}
