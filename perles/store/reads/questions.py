"""Questions of agents to the person. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from perles.store.sqlite.backend import field

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]

_ALL: Final = (
    "SELECT q.*, w.name AS workflow, k.key AS task, a.name AS agent FROM questions q "
    "JOIN workflows w ON w.id = q.workflow_id JOIN agents a ON a.id = q.agent_id "
    "LEFT JOIN tasks k ON k.id = q.task_id"
)
_SEQ: Final = (
    "SELECT max(seq) FROM events WHERE agent_id = ? AND type = 'question.asked' "
    f"AND CAST({field('payload', 'question')} AS BIGINT) = ?"
)


def questions(
    connection: Connection | None, workflow_id: str | None = None, *, everything: bool = False
) -> list[Json]:
    """Questions in the order in which they were asked, as `questions --json` has them.

    Open questions; `everything` adds answered ones, and ones closed with their workflow.
    """
    if connection is None:
        return []
    terms = ["w.archived_at IS NULL"] if workflow_id is None else ["q.workflow_id = ?"]
    if not everything:
        terms.append("q.status = 'open'")
    query = f"{_ALL} WHERE {' AND '.join(terms)} ORDER BY q.id"
    rows = connection.execute(query, () if workflow_id is None else (workflow_id,))
    return [_question(row) for row in rows]


def _question(row: Row) -> Json:
    return {
        "question": row["id"],
        "status": row["status"],
        "workflow_id": row["workflow_id"],
        "workflow": row["workflow"],
        "agent": row["agent"],
        "asked_by": row["asked_by"],
        "task": row["task"],
        "text": row["text"],
        "options": json.loads(row["options"]),
        "default": row["default_answer"],
        "asked_at": row["created_at"],
        "answer": row["answer"],
        "answered_at": row["answered_at"],
        "answered_by": json.loads(row["answered_by"]) if row["answered_by"] else None,
    }


def as_inbox(connection: Connection) -> list[Json]:
    """The questions that wait, as entries of the inbox."""
    return [_entry(connection, found) for found in questions(connection)]


def _entry(connection: Connection, found: Json) -> Json:
    agent = connection.execute(
        "SELECT id FROM agents WHERE workflow_id = ? AND name = ?",
        (found["workflow_id"], found["asked_by"]),
    ).fetchone()
    seq = connection.execute(_SEQ, (agent["id"], found["question"])).fetchone()[0]
    return {
        "seq": seq or 0,
        "kind": "question",
        "at": found["asked_at"],
        "workflow_id": found["workflow_id"],
        "workflow": found["workflow"],
        "task": found["task"],
        "text": f"{found['asked_by']} asks: {in_full(found)}",
        "acknowledged": False,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "over": False,
        "question": found["question"],
        "options": found["options"],
        "default": found["default"],
    }


def in_full(found: Json) -> str:
    """The question with its options and its default, a line each."""
    lines = [found["text"]]
    lines += [f"{number}. {text}" for number, text in enumerate(found["options"], 1)]
    if found["default"] is not None:
        lines.append(f"Without an answer of your own: {found['default']}")
    return "\n".join(lines)
