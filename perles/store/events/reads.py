"""Events, on the read side. By the driver alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]
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
    """Events after seq `since`, in order; `newest` takes the last `limit`.

    `types` are globs, or several of them with commas between.
    """
    if connection is None:
        return []
    where = [] if workflow_id is None else [workflow_id]
    types = [glob.strip() for given in types for glob in given.split(",")]
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
