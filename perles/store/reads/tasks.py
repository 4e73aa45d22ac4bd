"""All of a task: text, report, reviews, comments, and what it committed. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from perles.store.reads.connection import Json, mappings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection, Row

_TASKS: Final = (
    "SELECT t.*, r.name AS reviewer, r.task_id AS reviews, "
    "(SELECT b.blocked FROM agents b WHERE b.task_id = t.id AND b.blocked IS NOT NULL LIMIT 1) "
    "AS blocked FROM tasks t LEFT JOIN agents r ON r.id = t.reviewer_id "
)
_COMMENTS: Final = (
    "SELECT c.* FROM task_comments c JOIN tasks t ON t.id = c.task_id "
    "WHERE t.workflow_id = ? ORDER BY c.id"
)

_CUT_OFF: Final = (
    "SELECT a.name, t.started_at FROM turns t JOIN agents a ON a.id = t.agent_id "
    "WHERE t.workflow_id = ? AND t.status IN ('lost', 'interrupted') "
    "AND t.started_at IS NOT NULL"
)


def details(connection: Connection, workflow_id: str, key: str | None = None) -> dict[str, Json]:
    """What `show` and `tasks` tell of each task of a workflow beside its state, by key.

    With `key` of that one alone.
    """
    return details_of(connection, workflow_id, rows_of(connection, workflow_id, key))


def rows_of(connection: Connection, workflow_id: str, key: str | None = None) -> list[Json]:
    """The rows of a workflow's tasks in order, each with its reviewer and what blocks it.

    With `key` of that one alone.
    """
    one, keys = ("", ()) if key is None else (" AND t.key = ?", (key,))
    query = f"{_TASKS} WHERE t.workflow_id = ?{one} ORDER BY t.id"
    return mappings(connection.execute(query, (workflow_id, *keys)).fetchall())


def details_of(connection: Connection, workflow_id: str, rows: Sequence[Json]) -> dict[str, Json]:
    """`details` of tasks whose rows, as of `rows_of`, are at hand."""
    said: dict[int, list[Json]] = {}
    for row in connection.execute(_COMMENTS, (workflow_id,)):
        said.setdefault(row["task_id"], []).append(_comment(row))
    cut_off: dict[str, list[str]] = {}
    for name, started_at in connection.execute(_CUT_OFF, (workflow_id,)):
        cut_off.setdefault(name, []).append(started_at)
    return {
        row["key"]: _details(row, said.get(row["id"], []))
        | {"cut_off": _times(row, cut_off.get(row["assignee"], ()))}
        for row in rows
    }


def _times(task: Json, cut_off: Sequence[str]) -> int:
    """How many turns of the task's worker, which began at these times, its latest attempt had."""
    begun, ended = task["started_at"], task["ended_at"]
    if begun is None:
        return 0
    return sum(begun <= at and (ended is None or at <= ended) for at in cut_off)


def _details(row: Json, comments: list[Json]) -> Json:
    outputs, how = json.loads(row["outputs"]), json.loads(row["execution"])
    return {
        "body": row["body"],
        "run": row["run"],
        "review": how.get("review"),
        "role": how.get("role"),
        "makes": how.get("outputs", {}),
        "report": outputs.get("summary"),
        "reviewer": row["reviewer"],
        "verdict": row["verdict"],
        "denials": row["denials"],
        "blocked": row["blocked"],
        "comments": comments,
        "receipt": _receipt(json.loads(row["receipt"])),
    }


def commits_of_tasks(connection: Connection, workflow_id: str) -> dict[str, list[str]]:
    """By the key of each task of a workflow, the commits of its receipt, the oldest first."""
    rows = connection.execute(
        "SELECT key, receipt FROM tasks WHERE workflow_id = ?", (workflow_id,)
    )
    return {
        row["key"]: [str(one["id"]) for one in json.loads(row["receipt"]).get("commits", ())]
        for row in rows
    }


def _comment(row: Row) -> Json:
    return {
        "at": row["created_at"],
        "author": row["author"],
        "kind": row["kind"],
        "attempt": row["attempt"],
        "round": row["round"],
        "text": row["body"],
    }


def _receipt(kept: Json) -> Json | None:
    """What git showed of the task; None where there is nothing."""
    if not kept.get("commits"):
        return None
    commits = [
        {
            "id": commit["id"],
            "subject": commit["subject"],
            "files": commit["files"],
            "changed": commit["changed"],
            "on_branch": commit["on_branch"],
            "named": commit.get("named", False),
        }
        for commit in kept["commits"]
    ]
    return {"branch": kept["branch"], "base": kept["base"], "commits": commits}
