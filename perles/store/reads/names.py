"""What has a name that somebody begins to type: workflows, agents, tasks, channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

MOST: Final = 200
"""Names of each kind that are read, the newest first."""
_LIVE: Final = "(w.id = :here OR (w.state IN ('running', 'paused') AND w.archived_at IS NULL))"
_INSIDE: Final = (
    "SELECT '{kind}' AS kind, substr(n.{name}, 1, 200) AS name, w.id AS workflow_id, "
    "w.name AS workflow, w.state, w.id = :here AS here FROM {table} n "
    "JOIN workflows w ON w.id = n.workflow_id "
    rf"WHERE {_LIVE} AND n.{{name}} LIKE :like ESCAPE '\' "
    "ORDER BY here DESC, n.id DESC LIMIT :most"
)
_WORKFLOWS: Final = (
    "SELECT 'workflow' AS kind, substr(w.name, 1, 200) AS name, w.id AS workflow_id, "
    "w.name AS workflow, w.state, 0 AS here FROM workflows w WHERE w.archived_at IS NULL "
    r"AND (w.name LIKE :like ESCAPE '\' OR w.id LIKE :like ESCAPE '\') "
    "ORDER BY w.created_at DESC LIMIT :most"
)
_QUERIES: Final = (
    _INSIDE.format(kind="agent", name="name", table="agents"),
    _INSIDE.format(kind="task", name="key", table="tasks"),
    _INSIDE.format(kind="channel", name="slug", table="channels"),
    _WORKFLOWS,
)


def named(connection: Connection, like: str, here: str | None) -> list[Row]:
    """Rows `kind name workflow_id workflow state here` whose names fit a pattern of LIKE.

    It finds names and ids of all workflows; agents, tasks and channels of workflows that run or
    are paused, and of the current one (`here`), which come first.
    """
    values = {"like": like, "here": here or "", "most": MOST}
    return [row for query in _QUERIES for row in connection.execute(query, values)]
