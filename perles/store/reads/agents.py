"""Agents and providers on hold, on the read side. By the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from perles.store.reads.nodes import HOME, home
from perles.store.sqlite.backend import each

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]

_TOLD: Final = ("name", "role", "provider", "model", "status", "phase", "task", "pid")
_AGENTS: Final = (
    "SELECT a.workflow_id, a.name, a.role, a.provider, a.model, a.status, a.phase, k.key AS task, "
    "a.tokens_in, a.tokens_out, a.tokens_cached, a.cost_usd, a.context_used, a.context_window, "
    "a.held_until, h.until AS provider_held_until, a.provider_session_id, a.last_activity_at, "
    "(SELECT count(*) FROM turns t WHERE t.agent_id = a.id) AS turns, "
    "(SELECT t.pid FROM turns t WHERE t.agent_id = a.id AND t.status IN ('starting', 'running')) "
    "AS pid, "
    "(SELECT count(*) FROM messages m WHERE m.agent_id = a.id AND m.status = 'queued') AS queued, "
    "(SELECT t.error FROM turns t WHERE t.agent_id = a.id ORDER BY t.id DESC LIMIT 1) AS error, "
    f"{HOME} FROM agents a JOIN workflows w ON w.id = a.workflow_id "
    "LEFT JOIN tasks k ON k.id = a.task_id LEFT JOIN provider_holds h ON h.provider = a.provider "
    "LEFT JOIN nodes n ON n.id = a.node "
)


def list_agents(connection: Connection | None, workflow_id: str | None) -> list[Json]:
    """The agents of one workflow, or of all that run or are paused, in the order they came."""
    if connection is None:
        return []
    where, params = "w.state IN ('running', 'paused')", []
    if workflow_id is not None:
        where, params = "w.id = ?", [workflow_id]
    rows = connection.execute(f"{_AGENTS} WHERE {where} ORDER BY w.created_at, a.id", params)
    return [_agent(dict(row)) | home(row) for row in rows]


def agent_of(row: Row | Json) -> Json:
    """What is told of an agent everywhere: in its workflow, and among all agents."""
    return {
        **{name: row[name] for name in _TOLD},
        "queued_messages": row["queued"],
        "last_activity_at": row["last_activity_at"],
    }


def _agent(row: Json) -> Json:
    held = max(filter(None, (row.pop("provider_held_until"), row["held_until"])), default=None)
    return {
        "workflow_id": row["workflow_id"],
        **agent_of(row),
        "turns": row["turns"],
        "tokens_in": row["tokens_in"],
        "tokens_out": row["tokens_out"],
        "tokens_cached": row["tokens_cached"],
        "cost_usd": row["cost_usd"],
        "context_used": row["context_used"],
        "context_window": row["context_window"],
        "held_until": held,
        "provider_session_id": row["provider_session_id"],
        "error": row["error"],
    }


def provider_holds(connection: Connection | None) -> dict[str, Json]:
    """The providers whose quota is used up, each with until when, why, and who said it."""
    if connection is None:
        return {}
    rows = connection.execute("SELECT provider, until, reason, said_by FROM provider_holds")
    return {row["provider"]: dict(row) for row in rows}


def provider_limits(connection: Connection | None, now: str) -> dict[str, list[Json]]:
    """By provider, the windows of its quota that have not begun anew since they were told."""
    if connection is None:
        return {}
    rows = connection.execute(
        'SELECT provider, "window", used, resets_at FROM provider_limits '
        "WHERE resets_at > ? ORDER BY provider, resets_at",
        (now,),
    )
    found: dict[str, list[Json]] = {}
    for row in rows:
        told = {"window": row["window"], "used": row["used"], "resets_at": row["resets_at"]}
        found.setdefault(row["provider"], []).append(told)
    return found


def staff(connection: Connection | None, workflow_id: str) -> frozenset[str]:
    """The providers that a workflow's agents can be of."""
    if connection is None:
        return frozenset()
    query = (
        "SELECT provider FROM workflows WHERE id = ? UNION "
        "SELECT worker_provider FROM workflows w WHERE id = ? AND worker_provider IS NOT NULL "
        "AND (provider != 'builtin' OR EXISTS (SELECT 1 FROM tasks t WHERE t.workflow_id = w.id "
        "AND t.run IS NULL AND t.worker IS NULL AND coalesce(t.assignee, '') != 'human')) UNION "
        "SELECT worker FROM tasks WHERE workflow_id = ? AND worker IS NOT NULL UNION "
        f"SELECT r.value FROM workflows w, {each('w.roles')} r WHERE w.id = ?"
    )
    rows = connection.execute(query, (workflow_id,) * 4)
    return frozenset(str(row[0]).partition(":")[0] for row in rows)
