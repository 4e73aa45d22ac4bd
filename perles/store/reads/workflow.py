"""One workflow with all that belongs to it, on the read side. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from perles.domain.errors import NotFoundError
from perles.domain.task_story import FOREMOST
from perles.store.reads.agents import agent_of
from perles.store.reads.connection import Json, mappings
from perles.store.reads.current_work import nudges
from perles.store.reads.named_leases import Named
from perles.store.reads.nodes import HERE, homes
from perles.store.reads.overviews import overviews
from perles.store.reads.tasks import details_of, rows_of
from perles.store.reads.worktrees import worktree_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection


def show_workflow(connection: Connection | None, workflow_id: str) -> Json:
    """One workflow with its tasks, agents and the history of its state."""
    if connection is None:
        raise NotFoundError("workflow", workflow_id)
    query = "SELECT * FROM workflow_overview WHERE id = ?"
    row = connection.execute(query, (workflow_id,)).fetchone()
    if row is None:
        raise NotFoundError("workflow", workflow_id)
    (shown,) = overviews(connection, [row])
    shown["nudges"] = nudges(connection, workflow_id)
    shown["worktree"] = worktree_of(connection, workflow_id)
    counts = shown.pop("tasks")
    shown["task_counts"] = counts
    rows = rows_of(connection, workflow_id)
    more = details_of(connection, workflow_id, rows)
    tasks = _shown(connection, workflow_id, rows)
    shown["tasks"] = [task | more[task["key"]] for task in tasks]
    query = "SELECT * FROM agent_overview WHERE workflow_id = ? ORDER BY id"
    where = homes(connection, workflow_id)
    shown["agents"] = [
        agent_of(row) | {"turn_status": row["turn_status"]} | where.get(row["name"], HERE)
        for row in connection.execute(query, (workflow_id,))
    ]
    shown["transitions"] = _transitions(connection, workflow_id)
    return shown


def show_tasks(connection: Connection, workflow_id: str) -> list[Json]:
    """The tasks of a workflow, each with the keys of those it waits for."""
    query = "SELECT * FROM tasks WHERE workflow_id = ? ORDER BY id"
    rows = mappings(connection.execute(query, (workflow_id,)).fetchall())
    return _shown(connection, workflow_id, rows)


def _shown(connection: Connection, workflow_id: str, rows: Sequence[Json]) -> list[Json]:
    after: dict[int, list[str]] = {}
    query = (
        "SELECT d.task_id, b.key FROM task_dependencies d JOIN tasks b ON b.id = d.depends_on_id "
        "WHERE b.workflow_id = ? ORDER BY b.id"
    )
    for row in connection.execute(query, (workflow_id,)):
        after.setdefault(row[0], []).append(row[1])
    named = Named(connection)
    tasks = [_task(row, after.get(row["id"], []), named) for row in rows]
    _count_items(tasks)
    return tasks


def foremost_tasks(
    connection: Connection, workflow_id: str, most: int, key: str | None = None
) -> list[Json]:
    """The first `most` tasks of a workflow as `show_tasks` has them, and the one of this key.

    They are the ones that `task_story.foremost` would choose; the cost of reading them hardly
    depends on the number of others.
    """
    if count_tasks(connection, workflow_id) <= most:
        return show_tasks(connection, workflow_id)
    rank = "".join(f" WHEN '{status}' THEN {at}" for at, status in enumerate(FOREMOST))
    query = (
        "SELECT * FROM tasks WHERE id IN (SELECT id FROM tasks WHERE workflow_id = ? "
        f"ORDER BY CASE status{rank} ELSE 0 END, id LIMIT ?) OR (workflow_id = ? AND key = ?) "
        "ORDER BY id"
    )
    rows = mappings(connection.execute(query, (workflow_id, most, workflow_id, key)).fetchall())
    named = Named(connection)
    tasks = [_task(row, _after(connection, row["id"]), named) for row in rows]
    for row, task in zip(rows, tasks, strict=True):
        if '"for_each"' in row["execution"] and row["status"] == "pending":
            task["items"] = _items_of(connection, workflow_id, row["key"])
    return tasks


def count_tasks(connection: Connection, workflow_id: str) -> int:
    """How many tasks a workflow has."""
    query = "SELECT count(*) FROM tasks WHERE workflow_id = ?"
    return int(connection.execute(query, (workflow_id,)).fetchone()[0])


def _after(connection: Connection, task_id: int) -> list[str]:
    query = (
        "SELECT b.key FROM task_dependencies d JOIN tasks b ON b.id = d.depends_on_id "
        "WHERE d.task_id = ? ORDER BY b.id"
    )
    return [row[0] for row in connection.execute(query, (task_id,))]


def _items_of(connection: Connection, workflow_id: str, key: str) -> Json | None:
    """How many items of a task are over, as `_count_items` has it."""
    letters = "".join(f"\\{one}" if one in "%_\\" else one for one in key)
    query = (
        "SELECT count(*), sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END), sum(CASE WHEN "
        "status = 'failed' AND tolerated = 0 THEN 1 ELSE 0 END) FROM tasks WHERE workflow_id = ? "
        "AND execution LIKE ? ESCAPE '\\'"
    )
    like = f'%"made\\_by":"{letters}"%'
    total, done, failed = connection.execute(query, (workflow_id, like)).fetchone()
    return {"total": total, "done": done, "failed": failed} if total else None


def _count_items(tasks: list[Json]) -> None:
    """Say of each task that stands for items how many of these are over."""
    by_key = {task["key"]: task for task in tasks}
    for task in tasks:
        parent = by_key.get(task["made_by"])
        if parent is not None:
            counts = parent["items"] or {"total": 0, "done": 0, "failed": 0}
            counts["total"] += 1
            counts["done"] += task["status"] == "done"
            counts["failed"] += task["status"] == "failed" and not task["tolerated"]
            parent["items"] = counts


def _task(row: Json, after: list[str], named: Named) -> Json:
    outputs, execution = json.loads(row["outputs"]), json.loads(row["execution"])
    return {
        "key": row["key"],
        "name": row["title"],
        "status": row["status"],
        "assignee": row["assignee"],
        "after": after,
        "attempt": row["attempt"],
        "retries": row["retries"],
        "exit_code": row["exit_code"],
        "failure": row["failure"],
        "tolerated": bool(row["tolerated"]),
        "when": row["condition"],
        "finally": bool(row["stage"]),
        "summary": outputs.get("summary"),
        "output_tail": outputs.get("tail", []),
        "outputs": outputs.get("values", {}),
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "shell": None if row["run"] is None else execution.get("shell", ["sh"]),
        "surroundings": _surroundings(execution, row["env"]),
        "held_until": row["held_until"] if row["status"] == "pending" else None,
        "ready": execution.get("service"),
        "serving_since": row["serving_since"],
        "made_by": execution.get("made_by"),
        "items": None,
        "waits_for": named.said_of(row, execution.get("limits", {})),
    }


def _surroundings(execution: Json, env: str) -> Json:
    """Where a task runs, and which variables it has: their values are those of `variables_of`."""
    told = {key: execution.get(key, []) for key in ("dotenv", "unset")}
    told["secrets"] = list(execution.get("secrets", {}))
    told["check"] = execution.get("check", {}).get("commands", [])
    masked = dict.fromkeys(json.loads(env), "***")
    return {"dir": execution.get("dir", ""), "env": masked, **told}


def variables_of(connection: Connection, workflow_id: str) -> dict[str, dict[str, str]]:
    """The variables of each task, by its key; those of secrets are `***`."""
    from perles.domain.secrecy import MASK, is_secret

    query = "SELECT key, env FROM tasks WHERE workflow_id = ?"
    return {
        row["key"]: {
            name: MASK if is_secret(name, value) else value
            for name, value in json.loads(row["env"]).items()
        }
        for row in connection.execute(query, (workflow_id,))
    }


def _transitions(connection: Connection, workflow_id: str) -> list[Json]:
    query = (
        "SELECT created_at, type, payload FROM events WHERE workflow_id = ? "
        "AND type >= 'workflow.' AND type < 'workflow/' ORDER BY seq"
    )
    found = []
    for row in connection.execute(query, (workflow_id,)):
        payload = json.loads(row["payload"])
        if "trigger" in payload:
            found.append(
                {
                    "at": row["created_at"],
                    "from": payload["from"],
                    "to": payload["to"],
                    "trigger": payload["trigger"],
                    "reason": payload.get("reason"),
                }
            )
    return found
