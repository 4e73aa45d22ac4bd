"""Limits, leases and who waits, on the read side. By the driver alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from perles.domain.priority import Waiting, rank_sql
from perles.store.reads.agents import provider_limits
from perles.store.reads.current_work import nudges
from perles.store.reads.named_leases import Named
from perles.store.sqlite.backend import days

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from sqlite3 import Connection, Row

Json = dict[str, Any]

_KINDS: Final = {
    "workflow": "workflows",
    "worker": "workers",
    "ai_call": "ai_calls",
    "port": "ports",
}
_HOUR: Final = timedelta(hours=1)


def resources(connection: Connection | None) -> list[Json]:
    """Every limit with what is used of it, who holds it, and who waits, the next one first."""
    if connection is None:
        return []
    holders = _holders(connection)
    waiting = {
        "workflows": _start_queue(connection),
        "workers": _worker_queue(connection),
        "ai_calls": _call_queue(connection),
    }
    return [
        {
            "resource": row["resource"],
            "limit": _number(row["limit"]),
            "used": _number(row["used"]),
            "waiting": _waiting(connection, row),
            "holders": holders.get(row["resource"], []),
            "queue": waiting.get(row["resource"], []),
        }
        for row in connection.execute("SELECT * FROM resource_usage")
    ] + [_nudges(connection), *Named(connection).resources(), *_quotas(connection)]


def _quotas(connection: Connection) -> Iterator[Json]:
    """The windows of providers' quotas, as shares of 1, until they begin anew."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for provider, windows in provider_limits(connection, now).items():
        for window in windows:
            row: Json = {"resource": f"{provider} {window['window']}", "limit": 1}
            row |= {"used": window["used"], "waiting": 0, "holders": [], "queue": []}
            yield row | {"resets_at": window["resets_at"]}


def _nudges(connection: Connection) -> Json:
    """What nudging stuck coordinators cost: part of the tokens, and without a limit of its own."""
    row: Json = {"resource": "nudge_tokens", "limit": None, "used": nudges(connection)["tokens"]}
    return row | {"waiting": 0, "holders": [], "queue": []}


def _waiting(connection: Connection, row: Row) -> int:
    """How many wait. The view counts only pending workflows, and ones without a worker."""
    if row["resource"] == "workflows":
        return len(connection.execute(_LINE).fetchall())
    if row["resource"] == "workers":
        return len(_worker_queue(connection))
    return int(row["waiting"])


def _number(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


def _holders(connection: Connection) -> dict[str, list[Json]]:
    query = (
        "SELECT l.kind, l.value, l.acquired_at, w.id, w.name, w.state, a.name AS agent "
        "FROM leases l JOIN workflows w ON w.id = l.workflow_id "
        "LEFT JOIN agents a ON a.id = l.agent_id ORDER BY l.id"
    )
    found: dict[str, list[Json]] = {}
    for row in connection.execute(query):
        holder = {
            "workflow_id": row["id"],
            "name": row["name"],
            "state": row["state"],
            "agent": row["agent"],
            "value": row["value"],
            "since": row["acquired_at"],
        }
        found.setdefault(_KINDS[row["kind"]], []).append(holder)
    return found


_WAITING: Final = (
    "SELECT id, name, start_requested_at FROM workflows WHERE state IN ('pending', 'paused') "
    "AND start_requested_at IS NOT NULL"
)
_LINE: Final = f"{_WAITING} ORDER BY {rank_sql(days('start_requested_at'))}, id"
_MAX_QUEUE: Final = 100
"""How many waiting workflows are listed."""


def _start_queue(connection: Connection) -> list[Json]:
    rows = connection.execute(f"{_LINE} LIMIT ?", (_MAX_QUEUE,))
    return [_waiter(row[0], row[1], None, row[2]) for row in rows]


def _worker_queue(connection: Connection) -> list[Json]:
    """Workers that had a slot before a pause, and workflows that have no worker at all."""
    without = (
        "SELECT w.id, w.name, a.name, min(m.created_at) FROM agents a "
        "JOIN workflows w ON w.id = a.workflow_id AND w.state = 'running' "
        "JOIN messages m ON m.agent_id = a.id AND m.status = 'queued' "
        "WHERE a.role = 'worker' AND a.status = 'ready' AND NOT EXISTS "
        "(SELECT 1 FROM leases l WHERE l.agent_id = a.id AND l.kind = 'worker') "
        "GROUP BY a.id, w.id ORDER BY w.priority DESC, a.id"
    )
    query = (
        "SELECT id, name, NULL, worker_requested_at FROM workflows WHERE state = 'running' "
        "AND worker_requested_at IS NOT NULL"
    )
    ordered = f"{query} ORDER BY {rank_sql(days('worker_requested_at'))}, id"
    found = [*connection.execute(without), *connection.execute(ordered)]
    return [_waiter(*row) for row in found]


def _call_queue(connection: Connection) -> list[Json]:
    query = (
        "SELECT w.id, w.name, a.name AS agent, t.created_at, w.priority, a.id AS agent_id, a.role "
        "FROM turns t JOIN agents a ON a.id = t.agent_id "
        "JOIN workflows w ON w.id = t.workflow_id WHERE t.status = 'queued'"
    )
    rows = sorted(connection.execute(query), key=lambda row: _caller(row).rank)
    return [_waiter(*row[:4]) for row in rows]


def _caller(row: Row) -> Waiting:
    since = datetime.fromisoformat(row["created_at"]).timestamp()
    is_coordinator = row["role"] == "coordinator"
    return Waiting(row["agent_id"], row["id"], row["priority"], is_coordinator, since)


def _waiter(workflow_id: str, name: str, agent: str | None, since: str) -> Json:
    return {"workflow_id": workflow_id, "name": name, "agent": agent, "since": since}


def places(connection: Connection) -> dict[str, int]:
    """The place in line of every workflow that waits to start; 1 is the next."""
    return {row[0]: place for place, row in enumerate(connection.execute(_LINE), 1)}


def waits_in_line(row: Mapping[str, Any] | Row) -> bool:
    """Whether a workflow waits to start or to go on."""
    return row["state"] in ("pending", "paused") and row["start_requested_at"] is not None


def history(connection: Connection | None, since: datetime, now: datetime) -> list[Json]:
    """Peak and average of leases, by hour and resource, from the journal; the oldest hour first."""
    if connection is None:
        return []
    found: list[Json] = []
    for resource, levels in _levels(connection).items():
        found += _by_hour(resource, levels, since, now)
    return sorted(found, key=lambda row: (row["hour"], row["resource"]))


def _levels(connection: Connection) -> dict[str, list[tuple[datetime, int]]]:
    """By resource, the times at which the number of its leases changed, and the number since.

    The journal is read once for all of them: it may hold years.
    """
    query = (
        "SELECT type, payload, created_at FROM events "
        "WHERE type IN ('resource.lease_granted', 'resource.lease_released') ORDER BY seq"
    )
    found: dict[str, list[tuple[datetime, int]]] = {name: [] for name in _KINDS.values()}
    level = dict.fromkeys(found, 0)
    for row in connection.execute(query):
        resource = _KINDS.get(json.loads(row["payload"]).get("kind"))
        if resource is not None:
            level[resource] += 1 if row["type"] == "resource.lease_granted" else -1
            at = datetime.fromisoformat(row["created_at"])
            found[resource].append((at, max(0, level[resource])))
    return found


def _by_hour(
    resource: str, levels: list[tuple[datetime, int]], since: datetime, now: datetime
) -> Iterator[Json]:
    """Walk the hours and the changes together."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    level, at = 0, 0
    while hour <= now:
        end = min(hour + _HOUR, now)
        area, begun = 0.0, hour
        while at < len(levels) and levels[at][0] < hour:
            level, at = levels[at][1], at + 1
        peak = level
        while at < len(levels) and levels[at][0] < end:
            moment, new = levels[at]
            area += level * (moment - begun).total_seconds()
            level, begun, at = new, moment, at + 1
            peak = max(peak, level)
        area += level * (end - begun).total_seconds()
        length = (end - hour).total_seconds()
        if peak:
            yield {
                "hour": hour.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "resource": resource,
                "peak": peak,
                "average": round(area / length, 2) if length else float(level),
            }
        hour += _HOUR
