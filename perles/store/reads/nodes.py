"""The nodes of a cluster, on the read side. By the driver alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from perles.domain.clock import to_text
from perles.domain.explanations import UNHEARD

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
HOME: Final = (
    "a.node, n.state AS node_state, n.last_heard_at, "
    "(SELECT lost_after FROM cluster) AS lost_after, "
    "EXISTS (SELECT 1 FROM turns t WHERE t.agent_id = a.id "
    "AND t.status IN ('starting', 'running')) AS works"
)
"""Columns of an agent `a` and its node `n`, for `home`."""
_HOMES: Final = (
    f"SELECT a.name, {HOME} FROM agents a LEFT JOIN nodes n ON n.id = a.node "
    "WHERE a.node IS NOT NULL AND a.workflow_id = ?"
)
_FOR_NODES: Final = (
    # As `domain.placement.MARK` has it, which a reader need not import.
    """SELECT key FROM tasks WHERE workflow_id = ? AND execution LIKE '%"place":%' ORDER BY id"""
)
_CLUSTER: Final = "SELECT * FROM cluster WHERE id = 1"
_TOLD: Final = (
    *("host", "perles", "python", "cpus", "memory", "memory_free", "disk_free", "skew"),
)


def nodes(connection: Connection | None) -> list[Json]:
    """All nodes by name, gone ones last, as `nodes --json` has them."""
    if connection is None:
        return []
    turns: dict[str, list[Json]] = {}
    for row in connection.execute(_TURNS):
        about = dict(row)
        turns.setdefault(about.pop("node"), []).append(about)
    return [_node(row, turns.get(row["id"], [])) for row in connection.execute(_NODES)]


def tasks_for_nodes(connection: Connection | None, workflow_id: str) -> list[str]:
    """The keys of a workflow's tasks that say what a node must have."""
    found = [] if connection is None else connection.execute(_FOR_NODES, (workflow_id,))
    return [row["key"] for row in found]


def homes(connection: Connection, workflow_id: str) -> dict[str, Json]:
    """By agent, the `node` that it is on; those on this machine are left out.

    `unreachable` is None, or tells since when the node of a turn that runs is not heard, and when
    that turn counts as lost: None where it waits.
    """
    return {row["name"]: home(row) for row in connection.execute(_HOMES, (workflow_id,))}


def home(row: Row | Json) -> Json:
    """What `homes` tells of one agent; its `node` is None on this machine."""
    unreachable = None
    if row["works"] and row["node_state"] in UNHEARD:
        since, lost_at = row["last_heard_at"], None
        if row["lost_after"] is not None:
            heard = datetime.fromisoformat(since)
            lost_at = to_text(heard + timedelta(seconds=row["lost_after"]))
        unreachable = {"since": since, "lost_at": lost_at}
    return {"node": row["node"], "unreachable": unreachable}


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


HERE: Final[Json] = {"node": None, "unreachable": None}
"""What is told of an agent on this machine."""
