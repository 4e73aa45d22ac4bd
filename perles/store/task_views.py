"""Tasks over all workflows, on the read side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlite3 import Connection


def list_tasks(
    connection: Connection | None, workflow_id: str | None, *, waiting: bool
) -> list[dict[str, Any]]:
    """Tasks in the order of their plans; those of workflows that run or wait where none is named.

    `waiting` keeps those that wait for a person.
    """
    if connection is None:
        return []
    query = (
        "SELECT t.key, t.title, t.status, t.workflow_id, t.assignee, t.body FROM tasks t "
        "JOIN workflows w ON w.id = t.workflow_id WHERE (t.workflow_id = ?1 OR ?1 IS NULL "
        "AND w.state IN ('pending', 'running', 'paused')) "
        "AND (NOT ?2 OR t.status = 'waiting_for_user') ORDER BY t.id"
    )
    return [
        {
            "key": row["key"],
            "name": row["title"],
            "status": row["status"],
            "workflow_id": row["workflow_id"],
            "assignee": row["assignee"],
            "question": row["body"] if row["assignee"] == "human" else "",
        }
        for row in connection.execute(query, (workflow_id, waiting))
    ]
