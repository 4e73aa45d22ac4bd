"""Workflows that may be removed, and how much a database holds. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.store.place import bytes_of, free_bytes, tables

if TYPE_CHECKING:
    from sqlite3 import Connection

ENDED: Final = (
    "state IN ('completed', 'failed', 'stopped') AND NOT EXISTS (SELECT 1 FROM commands c "
    "WHERE c.workflow_id = workflows.id AND c.status IN ('queued', 'running'))"
)
"""A condition on rows of `workflows`: nobody asks anything of it any more."""
_ALL: Final = 2**62
"""More than there are."""
_DUE: Final = (
    # A worktree belongs to the last workflow that has it: a retry goes on in the old one's.
    "SELECT id, session_dir, CASE WHEN EXISTS (SELECT 1 FROM workflows o "
    "WHERE o.worktree_path = workflows.worktree_path "
    "AND (o.created_at, o.id) > (workflows.created_at, workflows.id)) "
    "THEN NULL ELSE worktree_path END AS worktree, ended_at, worktree_files, merged "
    f"FROM workflows WHERE {ENDED} ORDER BY ended_at DESC NULLS LAST, id DESC LIMIT ? OFFSET ?"
)


class Ended(NamedTuple):
    """A workflow that has ended, with what it left; places are as rows have them."""

    id: str
    session: str | None
    worktree: str | None
    ended_at: str | None
    brought: tuple[str, ...]
    """The files of the worktree that came along, which git ignores."""
    merged: dict[str, Any] | None


def ended_workflows(connection: Connection, keep: int) -> list[Ended]:
    """Workflows that have ended, except the `keep` that ended last; the earliest ends first."""
    rows = connection.execute(_DUE, (_ALL, keep))
    return [_ended(row) for row in rows]


def _ended(row: Any) -> Ended:
    files = json.loads(row["worktree_files"] or "{}")
    brought = (*files.get("copy", ()), *files.get("link", ()))
    merged = json.loads(row["merged"] or "null")
    return Ended(row[0], row[1], row[2], row[3], brought, merged)


def contents_of(connection: Connection) -> dict[str, Any]:
    """What a database holds: its rows by table, workflows by state, and the oldest of them."""
    states = connection.execute("SELECT state, count(*) FROM workflows GROUP BY state")
    oldest = connection.execute("SELECT min(created_at), min(ended_at) FROM workflows").fetchone()
    size = bytes_of(connection)
    return {
        **({} if size is None else {"database_bytes": size}),
        "free_bytes": free_bytes(connection),
        "rows": {
            table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
            for table in tables(connection)
        },
        "workflows": {row[0]: row[1] for row in states},
        "oldest": oldest[0],
        "oldest_ended_at": oldest[1],
    }
