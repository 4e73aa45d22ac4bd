"""The read side: what people and scripts see, straight from the views, by the driver alone.

Nothing here imports SQLAlchemy: `perles list` costs a tenth of a second as a
whole process. The shapes are those of `docs/json.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.errors import DatabaseError, NotFoundError
from perles.domain.states import PRIORITIES
from perles.store.agent_views import agent_of
from perles.store.failures import database_errors
from perles.store.inbox_views import waiting_texts
from perles.store.resource_views import places
from perles.store.sqlite import BUSY_TIMEOUT, open_readonly
from perles.store.version import HEAD, refuse_newer, schema_version
from perles.store.waiting_views import nudges, waits_for

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

DEFAULT_LIMIT: Final = 100
Json = dict[str, Any]
_OPEN: Final = ("pending", "running", "paused")


class WorkflowFilter(NamedTuple):
    """Which workflows to list. `limit` None means all; archived ones only with `everything`."""

    states: Sequence[str] = ()
    labels: Sequence[tuple[str, str]] = ()
    template: str | None = None
    priority: str | None = None
    name: str | None = None
    limit: int | None = DEFAULT_LIMIT
    everything: bool = False


class Listing(NamedTuple):
    """Workflows, newest first, and how many more fit the filter."""

    rows: list[Json]
    more: int


@contextmanager
def reading(path: Path, *, timeout: float = BUSY_TIMEOUT) -> Iterator[Connection | None]:
    """A connection that only reads; None where there is no database yet.

    Raises `DatabaseError` for one that cannot be read by this code.
    """
    if not os.path.exists(path):
        yield None
        return
    with database_errors(path):
        connection = open_readonly(str(path), timeout)
        try:
            version = schema_version(connection)
            refuse_newer(version, path)
            if version is not None and version != HEAD:
                raise DatabaseError(
                    f"cannot read database {path}: its schema is {version}, this perles needs "
                    f"{HEAD}; upgrade it: perles db upgrade"
                )
            yield connection if version is not None else None
        finally:
            connection.close()


def list_workflows(connection: Connection | None, wanted: WorkflowFilter) -> Listing:
    """The workflows that fit a filter, newest first."""
    if connection is None:
        return Listing([], 0)
    where, params = _where(wanted)
    query = f"SELECT * FROM workflow_overview w{where} ORDER BY w.created_at DESC, w.id DESC"
    limit = -1 if wanted.limit is None else wanted.limit
    rows = connection.execute(f"{query} LIMIT ?", (*params, limit)).fetchall()
    more = 0
    if len(rows) == limit:
        count = f"SELECT count(*) FROM workflows w{where}"
        more = connection.execute(count, params).fetchone()[0] - len(rows)
    labels = _labels(connection, [row["id"] for row in rows])
    line = places(connection) if any(_waits(row) for row in rows) else {}
    found = [_workflow(row, labels.get(row["id"], {}), line.get(row["id"])) for row in rows]
    _say_what_waits(connection, found)
    return Listing(found, more)


def _say_what_waits(connection: Connection, rows: list[Json]) -> None:
    asking = [row["id"] for row in rows if row["attention"] == "waiting for you"]
    questions = waiting_texts(connection, asking)
    running = [row["id"] for row in rows if row["state"] == "running"]
    waits = waits_for(connection, running, questions)
    for row in rows:
        row["attention"] = questions.get(row["id"], row["attention"])
        row["waits_for"] = waits.get(row["id"], [])


def _waits(row: Row) -> bool:
    return row["state"] in ("pending", "paused") and row["start_requested_at"] is not None


def _where(wanted: WorkflowFilter) -> tuple[str, list[Any]]:
    terms: list[str] = [] if wanted.everything else ["w.archived_at IS NULL"]
    params: list[Any] = []
    if wanted.states:
        terms.append(f"w.state IN ({', '.join('?' * len(wanted.states))})")
        params += wanted.states
    for column, value in (("template_id", wanted.template), ("priority", _rank(wanted.priority))):
        if value is not None:
            terms.append(f"w.{column} = ?")
            params.append(value)
    if wanted.name is not None:
        terms.append("instr(lower(w.name), lower(?)) > 0")
        params.append(wanted.name)
    for key, text in wanted.labels:
        terms.append(
            "w.id IN (SELECT workflow_id FROM workflow_labels WHERE key = ? AND value = ?)"
        )
        params += (key, text)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), params


def _rank(priority: str | None) -> int | None:
    return None if priority is None else PRIORITIES.index(priority)


def _labels(connection: Connection, ids: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        query = (
            "SELECT workflow_id, key, value FROM workflow_labels "
            f"WHERE workflow_id IN ({', '.join('?' * len(some))}) ORDER BY key"
        )
        for row in connection.execute(query, some):
            found.setdefault(row[0], {})[row[1]] = row[2]
    return found


def _workflow(row: Row, labels: dict[str, str], place: int | None) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "template_id": row["template_id"],
        "state": row["state"],
        "priority": PRIORITIES[row["priority"]],
        "labels": labels,
        "work_dir": row["work_dir"],
        "branch": row["branch"],
        "provider": row["provider"],
        "workers": row["workers"],
        "tasks": {
            "total": row["tasks_total"],
            "done": row["tasks_done"],
            "failed": row["tasks_failed"],
        },
        "health": row["health"],
        "attention": row["attention"],
        "reason": row["reason"],
        "queue_place": place,
        "tokens_used": row["tokens_used"],
        "token_budget": row["token_budget"],
        "cost_usd": row["cost_usd"],
        "cost_budget": row["cost_budget"],
        "mcp_port": row["mcp_port"],
        "session_dir": row["session_dir"],
        "created_at": row["created_at"],
        "start_requested_at": row["start_requested_at"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "uptime_s": row["uptime_s"],
    }


def show_workflow(connection: Connection | None, workflow_id: str) -> Json:
    """One workflow with its tasks, agents and the history of its state."""
    if connection is None:
        raise NotFoundError("workflow", workflow_id)
    query = "SELECT * FROM workflow_overview WHERE id = ?"
    row = connection.execute(query, (workflow_id,)).fetchone()
    if row is None:
        raise NotFoundError("workflow", workflow_id)
    place = places(connection).get(workflow_id) if _waits(row) else None
    shown = _workflow(row, _labels(connection, [workflow_id]).get(workflow_id, {}), place)
    _say_what_waits(connection, [shown])
    shown["nudges"] = nudges(connection, workflow_id)
    counts = shown.pop("tasks")
    shown["task_counts"] = counts
    shown["tasks"] = show_tasks(connection, workflow_id)
    query = "SELECT * FROM agent_overview WHERE workflow_id = ? ORDER BY id"
    shown["agents"] = [
        agent_of(row) | {"turn_status": row["turn_status"]}
        for row in connection.execute(query, (workflow_id,))
    ]
    shown["transitions"] = _transitions(connection, workflow_id)
    return shown


def show_tasks(connection: Connection, workflow_id: str) -> list[Json]:
    """The tasks of a workflow, each with the keys of those it waits for."""
    after: dict[int, list[str]] = {}
    query = (
        "SELECT d.task_id, b.key FROM task_dependencies d JOIN tasks b ON b.id = d.depends_on_id "
        "WHERE b.workflow_id = ? ORDER BY b.id"
    )
    for row in connection.execute(query, (workflow_id,)):
        after.setdefault(row[0], []).append(row[1])
    query = "SELECT * FROM tasks WHERE workflow_id = ? ORDER BY id"
    rows = connection.execute(query, (workflow_id,))
    return [_task(row, after.get(row["id"], [])) for row in rows]


def _task(row: Row, after: list[str]) -> Json:
    outputs = json.loads(row["outputs"])
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
        "summary": outputs.get("summary"),
        "output_tail": outputs.get("tail", []),
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
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


_EVENTS: Final = (
    "SELECT e.seq, e.created_at, e.type, e.workflow_id, a.name AS agent, k.key AS task, "
    "e.turn_id, e.payload FROM events e LEFT JOIN agents a ON a.id = e.agent_id "
    "LEFT JOIN tasks k ON k.id = e.task_id"
)


def read_events(
    connection: Connection | None,
    *,
    since: int = 0,
    workflow_id: str | None = None,
    types: Sequence[str] = (),
    limit: int | None = None,
    newest: bool = False,
) -> list[Json]:
    """Events after seq `since`, in order; `types` are globs. `newest` takes the last `limit`."""
    if connection is None:
        return []
    where = [] if workflow_id is None else [workflow_id]
    query = _events_query(bool(where), len(types), limit, newest)
    values = (since, *where, *types)
    rows = connection.execute(query, values).fetchall()
    if newest:
        rows.reverse()
    return [_event(row) for row in rows]


@lru_cache(maxsize=64)
def _events_query(of_one: bool, types: int, limit: int | None, newest: bool) -> str:
    terms = ["e.seq > ?", *(["e.workflow_id = ?"] if of_one else [])]
    if types:
        terms.append(f"({' OR '.join(['e.type GLOB ?'] * types)})")
    order = "DESC" if newest else "ASC"
    # A bound limit would be planned anew at each look (see `perles.store.sql`).
    end = "" if limit is None else f" LIMIT {int(limit)}"
    return f"{_EVENTS} WHERE {' AND '.join(terms)} ORDER BY e.seq {order}{end}"


def _event(row: Row) -> Json:
    return {
        "seq": row["seq"],
        "at": row["created_at"],
        "type": row["type"],
        "workflow_id": row["workflow_id"],
        "agent": row["agent"],
        "task": row["task"],
        "turn": row["turn_id"],
        "payload": json.loads(row["payload"]),
    }


def last_seq(connection: Connection | None) -> int:
    """The seq of the newest event, 0 where there is none."""
    if connection is None:
        return 0
    row = connection.execute("SELECT max(seq) FROM events").fetchone()
    return int(row[0] or 0)


def state_of(connection: Connection | None, workflow_id: str) -> str:
    """The state of one workflow. Raises `NotFoundError`."""
    row = None
    if connection is not None:
        query = "SELECT state FROM workflows WHERE id = ?"
        row = connection.execute(query, (workflow_id,)).fetchone()
    if row is None:
        raise NotFoundError("workflow", workflow_id)
    return str(row[0])


def has_work(connection: Connection | None) -> bool:
    """Whether a workflow runs, or waits to be started."""
    if connection is None:
        return False
    query = (
        "SELECT EXISTS (SELECT 1 FROM workflows WHERE state = 'running' "
        "OR state IN ('pending', 'paused') AND start_requested_at IS NOT NULL)"
    )
    return bool(connection.execute(query).fetchone()[0])


def command(connection: Connection | None, command_id: int) -> Json:
    """A command's status, result and error."""
    if connection is None:
        raise NotFoundError("command", str(command_id))
    query = "SELECT status, result, error FROM commands WHERE id = ?"
    row = connection.execute(query, (command_id,)).fetchone()
    result = json.loads(row["result"]) if row["result"] else {}
    return {"status": row["status"], "result": result, "error": row["error"]}


def engine_status(connection: Connection | None) -> Json | None:
    """What the engine's row and the leases tell; None where no engine ever ran."""
    if connection is None:
        return None
    row = connection.execute("SELECT * FROM engine WHERE id = 1").fetchone()
    if row is None:
        return None
    query = "SELECT value FROM leases WHERE kind = 'port' ORDER BY value"
    ports = [port[0] for port in connection.execute(query)]
    running = connection.execute("SELECT count(*) FROM running_workflows").fetchone()[0]
    query = "SELECT count(*) FROM turns WHERE status IN ('starting', 'running')"
    return {
        "pid": row["pid"],
        "host": row["host"],
        "version": row["version"],
        "started_at": row["started_at"],
        "heartbeat_at": row["heartbeat_at"],
        "workflows_running": running,
        "turns_running": connection.execute(query).fetchone()[0],
        "ports": ports,
    }
