"""Overviews of workflows: the rows of `perles list`, from the views, by the driver alone.

Nothing here imports SQLAlchemy: `perles list` costs a tenth of a second as a
whole process. The shapes are those of `docs/json.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.config.home import found as found_at
from perles.domain.states import PRIORITIES
from perles.domain.workflow_filter import WorkflowFilter
from perles.store.place import home_of
from perles.store.reads import engine
from perles.store.reads.connection import Json, mappings
from perles.store.reads.current_work import waits_for
from perles.store.reads.inbox import waiting_texts
from perles.store.reads.resources import places, waits_in_line

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

_OPEN: Final = ("pending", "running", "paused")
_ALL: Final = 2**62
"""More than there are."""


class Listing(NamedTuple):
    """Workflows, newest first, and how many more fit the filter."""

    rows: list[Json]
    more: int


def list_workflows(connection: Connection | None, wanted: WorkflowFilter) -> Listing:
    """The workflows that fit a filter, newest first."""
    if connection is None:
        return Listing([], 0)
    where, params = _where(wanted)
    limit = _ALL if wanted.limit is None else wanted.limit
    if wanted.sort == "created" and not wanted.filter:
        query = f"SELECT * FROM workflow_overview w{where} ORDER BY w.created_at DESC, w.id DESC"
        rows = connection.execute(f"{query} LIMIT ?", (*params, limit)).fetchall()
    else:
        rows = _ordered(connection, wanted.sort, where, (*params, limit))
    more = 0
    if len(rows) == limit:
        count = f"SELECT count(*) FROM workflows w{where}"
        more = connection.execute(count, params).fetchone()[0] - len(rows)
    return Listing(overviews(connection, rows), more)


def _ordered(connection: Connection, sort: str, where: str, params: Sequence[Any]) -> list[Row]:
    """Rows of the view in an order of the table: by what only the table has."""
    from perles.store.reads.dashboard import SORTS

    query = f"SELECT w.id FROM workflows w{where} ORDER BY {SORTS[sort]} LIMIT ?"
    ids = [row[0] for row in connection.execute(query, params)]
    found = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        view = f"SELECT * FROM workflow_overview WHERE id IN ({', '.join('?' * len(some))})"
        found.update({row["id"]: row for row in connection.execute(view, some)})
    return [found[id] for id in ids if id in found]


def overviews(connection: Connection, rows: Sequence[Row]) -> list[Json]:
    """Rows of `workflow_overview` with their labels, places in line, and what they wait for."""
    found = mappings(rows)
    ids = [row["id"] for row in found]
    labels, updated = _labels(connection, ids), _updated(connection, ids)
    tolerated = _tolerated(connection, [row["id"] for row in found if row["tasks_failed"]])
    line = places(connection) if any(waits_in_line(row) for row in found) else {}
    home = home_of(connection) if any(row["session_dir"] for row in found) else ""
    shown = [
        _workflow(home, row, labels.get(row["id"], {}), line.get(row["id"]), updated.get(row["id"]))
        for row in found
    ]
    for one in shown:
        one["tasks"]["failed"] -= tolerated.get(one["id"], 0)
    _say_what_waits(connection, shown)
    _say_who_is_unattended(connection, shown)
    unread = _unread(connection, ids)
    for one in shown:
        one["unread_posts"] = unread.get(one["id"], 0)
    return shown


def _say_who_is_unattended(connection: Connection, rows: list[Json]) -> None:
    """Mark the workflows that need an engine where none runs."""
    asked = engine.asked_for(connection)
    wanting = [
        row for row in rows if row["state"] == "running" or waits_in_line(row) or row["id"] in asked
    ]
    found = engine.trouble(connection) if wanting else None
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
    for op, moment in ((">=", wanted.since), ("<=", wanted.until)):
        if moment is not None:
            terms.append(f"w.created_at {op} ?")
            params.append(moment)
    if wanted.filter:
        from perles.domain.filter_language import parse_query
        from perles.store.reads import filtering

        # Who lets people type it has checked it before, where it must be whole.
        asked = parse_query(wanted.filter, lenient=True)
        if filtering.asks_for_archived(asked) and not wanted.everything:
            terms.remove("w.archived_at IS NULL")
        text, values = filtering.conditions(asked)
        terms.append(text)
        params += values
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


def _tolerated(connection: Connection, ids: list[str]) -> dict[str, int]:
    """How many tasks of each failed although its plan goes on without them."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        query = (
            f"SELECT workflow_id, count(*) FROM tasks WHERE workflow_id IN "
            f"({', '.join('?' * len(some))}) AND status = 'failed' AND tolerated = 1 "
            "GROUP BY workflow_id"
        )
        found.update(connection.execute(query, some).fetchall())
    return found


def _unread(connection: Connection, ids: list[str]) -> dict[str, int]:
    """How many posts of each the person has not read; a home without posts imports nothing."""
    if connection.execute("SELECT 1 FROM posts LIMIT 1").fetchone() is None:
        return {}
    from perles.store.reads.unread import unread_posts

    return unread_posts(connection, ids)


def _updated(connection: Connection, ids: list[str]) -> dict[str, str]:
    """When each workflow's row changed last."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        query = f"SELECT id, updated_at FROM workflows WHERE id IN ({', '.join('?' * len(some))})"
        found.update(connection.execute(query, some).fetchall())
    return found


def _workflow(
    home: str, row: Json, labels: dict[str, str], place: int | None, updated_at: str | None
) -> Json:
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
        "updated_at": updated_at,
        "last_heartbeat_at": row["last_heartbeat_at"],
        "last_progress_at": row["last_progress_at"],
        "uptime_s": row["uptime_s"],
    }
