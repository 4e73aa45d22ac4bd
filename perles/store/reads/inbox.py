"""What waits for a person: tasks to answer, and events to take note of. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from perles.domain.explanations import moment
from perles.store.sqlite.backend import field

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection, Row

Json = dict[str, Any]

KINDS: Final = {
    "user.notification": "notification",
    "resource.budget_warning": "budget",
    "health.stuck": "stuck",
    "workflow.failed": "failed",
}
_TASKS: Final = (
    "SELECT t.*, w.name AS workflow, w.state AS workflow_state FROM tasks t "
    "JOIN workflows w ON w.id = t.workflow_id"
)


def tasks(
    connection: Connection | None, workflow_id: str | None = None, *, waiting: bool = False
) -> list[Json]:
    """Tasks in plan order, of one workflow or of all that are not archived."""
    if connection is None:
        return []
    terms = ["w.archived_at IS NULL"] if workflow_id is None else ["w.id = ?"]
    if waiting:
        terms.append("t.status = 'waiting_for_user'")
    query = f"{_TASKS} WHERE {' AND '.join(terms)} ORDER BY w.created_at DESC, w.id, t.id"
    params = () if workflow_id is None else (workflow_id,)
    found = [_task(row) for row in connection.execute(query, params)]
    if workflow_id is None:
        return found
    from perles.store.reads.tasks import details  # `list` reads the inbox, too, and needs none

    more = details(connection, workflow_id)
    return [task | more[task["key"]] for task in found]


def _task(row: Row) -> Json:
    waits = row["status"] == "waiting_for_user"
    return {
        "key": row["key"],
        "name": row["title"],
        "status": row["status"],
        "workflow_id": row["workflow_id"],
        "workflow": row["workflow"],
        "assignee": row["assignee"],
        "question": _question(row) if waits or row["assignee"] == "human" else None,
        "waiting_since": _since(row) if waits else None,
        "failure": row["failure"],
    }


def _question(row: Row) -> str:
    """What a person is asked: the task's own text, or what its reviews came to."""
    return str(row["question"] or row["body"] or row["title"])


def _since(row: Row) -> str | None:
    """Since when a task waits for a person: from its start, or from its last denial."""
    found: str | None = row["updated_at"] if row["question"] else row["started_at"]
    return found


def inbox(connection: Connection | None, *, everything: bool = False) -> list[Json]:
    """All that waits for a person, newest first.

    `everything` adds what was acknowledged, and what is over by itself.
    """
    if connection is None:
        return []
    from perles.store.reads import questions  # `list` is done without it

    found = [
        *_approvals(connection),
        *questions.as_inbox(connection),
        *_notes(connection, everything),
    ]
    return sorted(found, key=lambda item: item["seq"], reverse=True)


def _approvals(connection: Connection) -> list[Json]:
    query = (
        f"{_TASKS} WHERE t.status = 'waiting_for_user' AND w.waiting_for_user = 1 "
        "AND w.archived_at IS NULL"
    )
    seq = (
        "SELECT max(seq) FROM events WHERE workflow_id = ? AND task_id = ? "
        "AND type = 'task.waiting_for_user'"
    )
    return [
        {
            "seq": connection.execute(seq, (row["workflow_id"], row["id"])).fetchone()[0] or 0,
            "kind": "approval",
            "at": _since(row),
            "workflow_id": row["workflow_id"],
            "workflow": row["workflow"],
            "task": row["key"],
            "text": _question(row),
            "acknowledged": False,
            "acknowledged_at": None,
            "acknowledged_by": None,
            "over": False,
        }
        for row in connection.execute(query)
    ]


_IS_OVER: Final = f"""CASE e.type
    WHEN 'workflow.failed' THEN
        e.workflow_id IN (SELECT retried_from FROM workflows WHERE retried_from IS NOT NULL)
    WHEN 'resource.budget_warning' THEN
        w.ended_at IS NOT NULL AND {field("e.payload", "scope")} = 'workflow'
    WHEN 'health.stuck' THEN w.ended_at IS NOT NULL OR CASE WHEN e.agent_id IS NULL
        THEN w.health != 'stuck' OR EXISTS (SELECT 1 FROM events n
            WHERE n.workflow_id = e.workflow_id AND n.seq > e.seq
            AND n.type = 'health.stuck' AND n.agent_id IS NULL)
        ELSE NOT EXISTS (SELECT 1 FROM turns t JOIN agents g ON g.id = t.agent_id
            WHERE t.id = e.turn_id AND t.status IN ('starting', 'running')
            AND coalesce(g.last_activity_at, '') <= e.created_at) END
    ELSE FALSE END"""
"""Whether an event needs nobody any more: it was retried, has ended, or moves again."""


def _notes(connection: Connection, everything: bool) -> list[Json]:
    columns = (
        "SELECT e.seq, e.type, e.created_at, e.workflow_id, e.payload, w.name AS workflow, "
        "k.key AS task, a.seq IS NOT NULL AS acknowledged, "
        "a.origin, a.created_at AS acknowledged_at"
    )
    sources = (
        "FROM events e "
        "LEFT JOIN workflows w ON w.id = e.workflow_id LEFT JOIN tasks k ON k.id = e.task_id "
        "LEFT JOIN inbox_acks a ON a.seq = e.seq WHERE e.type IN "
        "('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed')"
    )
    is_over = f"coalesce({_IS_OVER}, FALSE)"
    query = f"{columns}, {is_over} AS is_over {sources}"
    if not everything:
        query += f" AND a.seq IS NULL AND w.archived_at IS NULL AND NOT {is_over}"
    return [_note(row) for row in connection.execute(query)]


def _budget(payload: Json) -> str:
    """`80% of the token budget is used: 800 of 1,000 (workflow)`."""
    used, limit = (format(payload[name], ",") for name in ("used", "limit"))
    return (
        f"{payload['percent']}% of the {payload['budget']} budget is used: "
        f"{used} of {limit} ({payload['scope']})"
    )


def _note(row: Row) -> Json:
    payload = json.loads(row["payload"])
    text = payload.get("text") or payload.get("reason") or payload.get("detail")
    if row["type"] == "resource.budget_warning":
        text = _budget(payload)
    text = text or _silence(payload)
    if text is None:
        known = ("v", "from", "to", "trigger")
        text = ", ".join(f"{key} {value}" for key, value in payload.items() if key not in known)
    return {
        "seq": row["seq"],
        "kind": KINDS[row["type"]],
        "at": row["created_at"],
        "workflow_id": row["workflow_id"],
        "workflow": row["workflow"],
        "task": row["task"],
        "text": str(text),
        "acknowledged": bool(row["acknowledged"]),
        "acknowledged_at": row["acknowledged_at"],
        "acknowledged_by": json.loads(row["origin"]) if row["origin"] else None,
        "over": bool(row["is_over"]),
    }


def _silence(payload: Json) -> str | None:
    """What a stuck workflow, or one worker of it, was doing, and how long nothing came of it."""
    if "silent_s" not in payload:
        return None
    if "agent" in payload:
        return f"{payload['agent']} gives no sign for {payload['silent_s']}s; the others go on"
    doing = "; ".join(str(text) for text in payload.get("doing") or ()) or "nobody works"
    return f"no progress for {payload['silent_s']}s: {doing}"


def waiting_texts(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """`waiting for you since 10:14: approve deploy?` for each of these workflows that waits."""
    found: dict[str, str] = {}
    query = (
        "SELECT CASE WHEN question IS NULL THEN started_at ELSE updated_at END AS since, "
        "coalesce(question, nullif(body, ''), title) AS text FROM tasks "
        "WHERE workflow_id = :id AND status = 'waiting_for_user' UNION ALL "
        "SELECT created_at, asked_by || ' asks: ' || text FROM questions "
        "WHERE workflow_id = :id AND status = 'open' ORDER BY 1 NULLS FIRST"
    )
    for workflow_id in ids:
        rows = connection.execute(query, {"id": workflow_id}).fetchall()
        if rows:
            first = rows[0]
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            question = next(iter(first["text"].strip().splitlines()), "")
            since = moment(first["since"])
            found[workflow_id] = f"waiting for you since {since}: {question}{more}"
    return found
