"""The worktrees of workflows, as rows have them. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from perles.config.home import found as found_at
from perles.store.place import home_of
from perles.store.reads.connection import Json

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

_COLUMNS: Final = (
    "id, name, state, ended_at, repository, worktree_path, branch, base_branch, base_commit, "
    "worktree_files, merged, pull_request"
)


def worktree_of(connection: Connection, workflow_id: str) -> Json | None:
    """The worktree of a workflow; None where it has none."""
    query = f"SELECT {_COLUMNS} FROM workflows WHERE id = ? AND worktree_path IS NOT NULL"
    row = connection.execute(query, (workflow_id,)).fetchone()
    return None if row is None else _worktree(home_of(connection), row)


def worktrees(connection: Connection | None) -> list[Json]:
    """Every worktree that a workflow has, with the newest workflow that has it; newest first."""
    if connection is None:
        return []
    query = (
        f"SELECT {_COLUMNS} FROM workflows WHERE worktree_path IS NOT NULL "
        "ORDER BY created_at DESC, id DESC"
    )
    found: dict[str, Json] = {}
    home = home_of(connection)
    for row in connection.execute(query):
        about = {key: row[key] for key in ("id", "name", "state", "ended_at")}
        found.setdefault(row["worktree_path"], about | _worktree(home, row))
    return list(found.values())


def _worktree(home: str, row: Row) -> Json:
    files = json.loads(row["worktree_files"] or "{}")
    merge = files.pop("merge", None)
    return {
        "path": found_at(home, row["worktree_path"]),
        "repository": row["repository"],
        "branch": row["branch"],
        "base_branch": row["base_branch"],
        "base_commit": row["base_commit"],
        "files": files,
        "merge": merge,
        "merged": json.loads(row["merged"]) if row["merged"] else None,
        "pull_request": json.loads(row["pull_request"]) if row["pull_request"] else None,
    }
