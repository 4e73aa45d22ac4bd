"""Words that a shell completes: names, ids, labels, agents, channels. By the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

MOST: Final = 200
"""Words that are offered at most, of the newest workflows."""
_QUERIES: Final = {
    "label": "SELECT DISTINCT key || '=' || value, '' FROM workflow_labels ORDER BY 1",
    "agent": "SELECT name, provider FROM agents{of} GROUP BY name, provider ORDER BY max(id) DESC",
    "channel": "SELECT DISTINCT slug, '' FROM channels{of} ORDER BY 1",
    "node": "SELECT id, state FROM nodes ORDER BY id",
    "task": "SELECT key, title FROM tasks{of} GROUP BY key, title ORDER BY max(id) DESC",
    "branch": "SELECT DISTINCT branch, name FROM workflows WHERE branch IS NOT NULL",
}


def workflows(
    connection: Connection | None, start: str, states: Sequence[str]
) -> list[tuple[str, str]]:
    """Ids that begin so, each with its name and state, and names that do; the newest first."""
    if connection is None:
        return []
    where = f"state IN ({', '.join('?' * len(states))})" if states else "1 = 1"
    query = (
        f"SELECT id, name, state FROM workflows WHERE archived_at IS NULL AND {where} "
        "AND (substr(id, 1, ?) = ? OR substr(name, 1, ?) = ?) ORDER BY created_at DESC LIMIT ?"
    )
    size = len(start)
    rows = connection.execute(query, (*states, size, start, size, start, MOST)).fetchall()
    found = [(row[0], f"{row[1]} ({row[2]})") for row in rows if row[0].startswith(start)]
    names = {row[1]: f"{row[0]} ({row[2]})" for row in rows if row[1].startswith(start)}
    return [*(names.items() if start else ()), *found]


def words(
    connection: Connection | None, kind: str, start: str, workflow: str = ""
) -> list[tuple[str, str]]:
    """Words of a kind that begin so, each with what tells more of it; those of a workflow."""
    if connection is None:
        return []
    of = _ids(connection, workflow) if workflow and "{of}" in _QUERIES[kind] else []
    where = " WHERE workflow_id = ?" if of else ""
    query = f"{_QUERIES[kind].format(of=where)} LIMIT {MOST * 5}"
    rows = connection.execute(query, of).fetchall()
    return [(str(row[0]), str(row[1])) for row in rows if str(row[0]).startswith(start)][:MOST]


def _ids(connection: Connection, ref: str) -> list[str]:
    """The id that is meant; none where nothing or much is."""
    from perles.domain.errors import AmbiguousIdError, NotFoundError
    from perles.store.reads.references import resolve

    try:
        return [resolve(connection, ref)]
    except (NotFoundError, AmbiguousIdError):
        return []
