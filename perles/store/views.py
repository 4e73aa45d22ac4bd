"""The read side: what people and scripts see, straight from the views, by the driver alone.

Nothing here imports SQLAlchemy: `perles list` costs a tenth of a second as a
whole process. The shapes are those of `docs/json.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.errors import DatabaseError, NotFoundError
from perles.domain.states import PRIORITIES
from perles.paths import found as found_at
from perles.store import engine_views
from perles.store.failures import database_errors
from perles.store.filters import DEFAULT_LIMIT as DEFAULT_LIMIT
from perles.store.filters import WorkflowFilter as WorkflowFilter
from perles.store.inbox_views import waiting_texts
from perles.store.places import home_of
from perles.store.resource_views import places, waits_in_line
from perles.store.sqlite import BUSY_TIMEOUT, open_readonly
from perles.store.version import HEAD, refuse_newer, schema_version
from perles.store.waiting_views import waits_for

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]
_OPEN: Final = ("pending", "running", "paused")


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
    return Listing(overviews(connection, rows), more)


def overviews(connection: Connection, rows: Sequence[Row]) -> list[Json]:
    """Rows of `workflow_overview` with their labels, places in line, and what they wait for."""
    labels = _labels(connection, [row["id"] for row in rows])
    line = places(connection) if any(waits_in_line(row) for row in rows) else {}
    home = home_of(connection)
    found = [_workflow(home, row, labels.get(row["id"], {}), line.get(row["id"])) for row in rows]
    _say_what_waits(connection, found)
    _say_who_is_unattended(connection, found)
    return found


def _say_who_is_unattended(connection: Connection, rows: list[Json]) -> None:
    """Say of those that an engine should be at work for that none is."""
    asked = engine_views.asked_for(connection)
    wanting = [
        row for row in rows if row["state"] == "running" or waits_in_line(row) or row["id"] in asked
    ]
    found = engine_views.trouble(connection) if wanting else None
    for row in wanting:
        row["unattended"] = found


def _say_what_waits(connection: Connection, rows: list[Json]) -> None:
    asking = [row["id"] for row in rows if row["attention"] == "waiting for you"]
    questions = waiting_texts(connection, asking)
    running = [row["id"] for row in rows if row["state"] == "running"]
    waits = waits_for(connection, running, questions)
    for row in rows:
        row["attention"] = questions.get(row["id"], row["attention"])
        row["waits_for"] = waits.get(row["id"], [])


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
        terms.append("(instr(lower(w.name), lower(?)) > 0 OR lower(w.name) GLOB lower(?))")
        params += [wanted.name] * 2
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


def _workflow(home: str, row: Row, labels: dict[str, str], place: int | None) -> Json:
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
        "unattended": None,
        "tokens_used": row["tokens_used"],
        "token_budget": row["token_budget"],
        "cost_usd": row["cost_usd"],
        "cost_budget": row["cost_budget"],
        "mcp_port": row["mcp_port"],
        "session_dir": row["session_dir"] and found_at(home, row["session_dir"]),
        "created_at": row["created_at"],
        "start_requested_at": row["start_requested_at"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "uptime_s": row["uptime_s"],
    }


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
