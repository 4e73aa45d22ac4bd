"""The nodes of a cluster, on the read side. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]
_NODES: Final = (
    "SELECT n.*, (SELECT count(*) FROM turns t JOIN agents a ON a.id = t.agent_id "
    "WHERE t.status IN ('starting', 'running') AND a.node = n.id) AS used "
    # What came and went without a word never was a node.
    "FROM nodes n WHERE NOT (n.state = 'gone' AND n.facts = '{}') ORDER BY n.state = 'gone', n.id"
)
_TURNS: Final = (
    "SELECT a.node, a.workflow_id, w.name AS workflow, a.name AS agent, k.key AS task, "
    "t.started_at FROM turns t JOIN agents a ON a.id = t.agent_id "
    "JOIN workflows w ON w.id = t.workflow_id LEFT JOIN tasks k ON k.id = a.task_id "
    "WHERE t.status IN ('starting', 'running') AND a.node IS NOT NULL ORDER BY t.id"
)
_CLUSTER: Final = "SELECT * FROM cluster WHERE id = 1"
_TOLD: Final = (
    *("host", "perles", "python", "cpus", "memory", "memory_free", "disk_free", "skew"),
)


def nodes(connection: Connection | None) -> list[Json]:
    """All nodes by name, those that are gone last, as `nodes --json` has them."""
    if connection is None:
        return []
    turns: dict[str, list[Json]] = {}
    for row in connection.execute(_TURNS):
        about = dict(row)
        turns.setdefault(about.pop("node"), []).append(about)
    return [_node(row, turns.get(row["id"], [])) for row in connection.execute(_NODES)]


def cluster(connection: Connection | None) -> Json | None:
    """How the engine that ran last stands with its cluster; None where it has none.

    Its `place`, its `state`, `since` when, and the `problem`, or null; `lost_after` is how many
    seconds of a node's silence make its turns lost, null where they wait for it.
    """
    row = None if connection is None else connection.execute(_CLUSTER).fetchone()
    if row is None:
        return None
    told = {name: row[name] for name in ("place", "state", "since", "lost_after")}
    return {**told, "problem": row["problem"] or None}


def _node(row: Row, turns: list[Json]) -> Json:
    facts = json.loads(row["facts"])
    return {
        "name": row["id"],
        "state": row["state"],
        "drain": bool(row["drain"]),
        "slots": row["slots"],
        "used": row["used"],
        "labels": json.loads(row["labels"]),
        **{name: facts.get(name) for name in _TOLD},
        "problems": json.loads(row["problems"]),
        "turns": turns,
        "joined_at": row["joined_at"],
        "last_heard_at": row["last_heard_at"],
    }
