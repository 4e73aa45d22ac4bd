"""What the dashboard reads: an order of ids, the rows of a window, one workflow's inside.

Only what can be seen is read. Rows come from the views; an order is a list of ids,
which 10,000 workflows make in a few milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.config.home import found as found_at
from perles.domain.states import WORKFLOW
from perles.store.place import home_of
from perles.store.reads.search import SPOKEN

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

SORTS: Final = {
    "created": "w.created_at DESC, w.id DESC",
    "attention": (
        "w.waiting_for_user DESC, (w.state = 'running' AND w.health IN ('degraded', 'stuck')) "
        "DESC, w.state = 'failed' DESC, w.created_at DESC, w.id DESC"
    ),
    "name": "lower(w.name), w.id",
    "state": (
        "instr('running paused pending failed stopped completed', w.state), "
        "w.created_at DESC, w.id DESC"
    ),
    "priority": "w.priority DESC, w.created_at DESC, w.id DESC",
    "tokens": "w.tokens_used DESC, w.created_at DESC, w.id DESC",
    "cost": "w.cost_usd DESC, w.created_at DESC, w.id DESC",
    "started": "w.started_at DESC NULLS LAST, w.created_at DESC, w.id DESC",
}
"""The orders of the table, by the name that is shown."""
MAX_ROWS: Final = 500
MAX_TEXT: Final = 20_001
"""Characters of one message that are read: as many as are shown, and one that tells of more."""
MANY: Final = 1000
"""New events that are counted."""
_EVENT_TEXT: Final = 2000
_WORDS: Final = 300
_NEWEST: Final = 60
"""Events among which the last words of a workflow are looked for."""
LAST_EVENTS: Final = (
    "SELECT type, payload FROM events WHERE workflow_id = ? ORDER BY seq DESC LIMIT ?"
)
_PIECE: Final = 256
"""Events that are asked for at once: a reader may stop long before the last."""
_ANY: Final = 2**62
"""A seq that no event has."""


class Totals(NamedTuple):
    """The sums of the top line."""

    workflows_running: int = 0
    workers: int = 0
    ai_calls: int = 0
    tokens: int = 0
    cost_today: float = 0.0
    queued: int = 0
    states: Mapping[str, int] = {}
    """How many workflows are in each state that occurs, archived ones left out."""
    unpriced_today: int = 0
    """Tokens of the turns of today whose cost nobody told."""


def newest(connection: Connection) -> str | None:
    """When the newest workflow was made: another one, and the order is another."""
    query = "SELECT max(created_at) FROM workflows WHERE archived_at IS NULL"
    found: str | None = connection.execute(query).fetchone()[0]
    return found


def count(connection: Connection) -> int:
    """How many workflows there are, archived ones left out."""
    query = "SELECT count(*) FROM workflows WHERE archived_at IS NULL"
    return int(connection.execute(query).fetchone()[0])


def counts_by_state(connection: Connection) -> dict[str, int]:
    """How many workflows are in each state, archived ones left out."""
    query = "SELECT state, count(*) FROM workflows WHERE archived_at IS NULL GROUP BY state"
    found = dict(connection.execute(query).fetchall())
    return {state: found.get(state, 0) for state in WORKFLOW.states}


def order(connection: Connection, text: str, sort: str) -> list[str]:
    """The ids of the workflows that fit a text in the filter language, in an order.

    What cannot be, as it is still being typed, is left out.
    """
    where: str = "w.archived_at IS NULL"
    params: list[Any] = []
    if text:
        from perles.domain.filter_language import parse_query
        from perles.store.reads import filtering

        asked = parse_query(text, lenient=True)
        fits, params = filtering.conditions(asked)
        where = fits if filtering.asks_for_archived(asked) else f"{where} AND {fits}"
    query = f"SELECT w.id FROM workflows w WHERE {where} ORDER BY {SORTS[sort]}"
    return [row[0] for row in connection.execute(query, params)]


def rows(connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """The overview of each of these workflows that is there; no more than `MAX_ROWS`."""
    some = ids[:MAX_ROWS]
    query = (
        "SELECT o.*, w.waiting_for_user, w.worktree_path, w.paused_at, w.paused_s, "
        "w.max_workers, (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id "
        "AND t.status = 'failed' AND t.tolerated = 1) AS tasks_tolerated "
        "FROM workflow_overview o JOIN workflows w ON w.id = o.id "
        f"WHERE o.id IN ({', '.join('?' * len(some))})"
    )
    return {row["id"]: row for row in connection.execute(query, some)}


def limits(connection: Connection) -> dict[str, float]:
    """The limits as the last engine had them."""
    query = "SELECT resource, value FROM resource_limits WHERE value IS NOT NULL"
    return dict(connection.execute(query).fetchall())


def totals(connection: Connection, today: str) -> Totals:
    """What is in use, over all workflows; `today` is the date as times begin with it."""
    used = dict(connection.execute("SELECT kind, count(*) FROM leases GROUP BY kind").fetchall())
    found = connection.execute(
        "SELECT state, count(*), count(*) FILTER (WHERE archived_at IS NULL), sum(tokens_used), "
        "count(start_requested_at) FROM workflows GROUP BY state"
    ).fetchall()
    cost, unpriced = connection.execute(
        "SELECT coalesce(sum(cost_usd), 0), "
        "coalesce(sum(tokens_in + tokens_out) FILTER (WHERE cost_usd = 0), 0) "
        "FROM turns WHERE started_at >= ?",
        (today,),
    ).fetchone()
    return Totals(
        sum(row[1] for row in found if row[0] == "running"),
        used.get("worker", 0),
        used.get("ai_call", 0),
        sum(row[3] for row in found),
        cost,
        sum(row[4] for row in found if row[0] in ("pending", "paused")),
        {row[0]: row[2] for row in found if row[2]},
        int(unpriced),
    )


def agents(connection: Connection, workflow_id: str) -> list[Row]:
    """The agents of a workflow, the coordinator first."""
    query = "SELECT * FROM agent_overview WHERE workflow_id = ? ORDER BY role != 'coordinator', id"
    return connection.execute(query, (workflow_id,)).fetchall()


def turns_in_hand(connection: Connection, workflow_id: str) -> dict[int, str]:
    """Since when the turn of each agent runs, by the agent's id; those whose turn runs."""
    query = (
        # As the index of open turns has it: a workflow may have many that are over.
        "SELECT agent_id, started_at FROM turns WHERE status IN ('queued', 'starting', 'running') "
        "AND workflow_id = ? AND started_at IS NOT NULL"
    )
    return dict(connection.execute(query, (workflow_id,)).fetchall())


def newest_event(connection: Connection, workflow_id: str) -> int:
    """The seq of a workflow's newest event; 0 where it has none."""
    query = "SELECT coalesce(max(seq), 0) FROM events WHERE workflow_id = ?"
    return int(connection.execute(query, (workflow_id,)).fetchone()[0])


def last_words(connection: Connection, workflow_id: str) -> str:
    """The last text that an agent of a workflow wrote, its start; "" where the newest
    `_NEWEST` events have none."""
    for kind, payload in connection.execute(LAST_EVENTS, (workflow_id, _NEWEST)):
        if not kind.endswith(".output"):
            continue
        told = json.loads(payload)
        text = str(told.get("text") or "").strip()
        if text and told.get("kind", "text") == "text":
            return text[:_WORDS]
    return ""


def messages(connection: Connection, workflow_id: str, limit: int) -> list[Row]:
    """The newest messages of a workflow, in their order, each with whom it was for."""
    query = (
        "SELECT m.id, m.created_at, m.sender, m.sender_kind, substr(m.body, 1, :most) AS body, "
        "m.status, a.name AS agent "
        "FROM messages m JOIN agents a ON a.id = m.agent_id WHERE a.workflow_id = :id "
        "ORDER BY m.id DESC LIMIT :limit"
    )
    values = {"id": workflow_id, "limit": limit, "most": MAX_TEXT}
    return connection.execute(query, values).fetchall()[::-1]


def posts(connection: Connection, workflow_id: str, limit: int) -> list[Row]:
    """The newest posts in the channels of a workflow, in their order."""
    query = (
        "SELECT p.id, p.created_at, p.author, p.kind, p.body, p.parent_id, c.slug FROM posts p "
        "JOIN channels c ON c.id = p.channel_id WHERE c.workflow_id = ? ORDER BY p.id DESC LIMIT ?"
    )
    return connection.execute(query, (workflow_id, limit)).fetchall()[::-1]


def output(
    connection: Connection, workflow_id: str, agent_id: int, limit: int, until: int | None = None
) -> Iterator[Row]:
    """The events that tell what an agent was told, said and did, one by one, the newest first.

    Those after seq `until` are left out.
    """
    query = (
        # By the index of the agent's events: its workflow may have many more of others.
        "SELECT seq, created_at, type, payload, turn_id FROM events e WHERE +workflow_id = ? "
        f"AND seq <= ? AND agent_id = ? AND {SPOKEN} ORDER BY seq DESC LIMIT ?"
    )

    def ask(until: int, count: int) -> Sequence[Row]:
        return connection.execute(query, (workflow_id, until, agent_id, count)).fetchall()

    return _in_pieces(ask, until, limit)


def fresh(connection: Connection, workflow_id: str, agent_id: int | None, after: int) -> int:
    """How many of the events after one belong to an agent's transcript, or to all, `MANY` at most.

    No more than `MANY` of the workflow's events are looked at.
    """
    query = (
        "SELECT count(*) FROM (SELECT type, agent_id FROM events WHERE workflow_id = ? "
        "AND seq > ? ORDER BY seq LIMIT ?) e"
    )
    values = [workflow_id, after, MANY]
    if agent_id is not None:
        query += f" WHERE e.agent_id = ? AND {SPOKEN}"
        values.append(agent_id)
    return int(connection.execute(query, values).fetchone()[0])


def events(
    connection: Connection, workflow_id: str, limit: int, until: int | None = None
) -> Iterator[Row]:
    """The events of a workflow up to seq `until`, the newest first, with their payload's start."""
    query = (
        "SELECT e.seq, e.created_at, e.type, a.name AS agent, t.key AS task, "
        "substr(json_remove(e.payload, '$.v'), 1, ?) AS text FROM events e "
        "LEFT JOIN agents a ON a.id = e.agent_id LEFT JOIN tasks t ON t.id = e.task_id "
        "WHERE e.workflow_id = ? AND e.seq <= ? ORDER BY e.seq DESC LIMIT ?"
    )

    def ask(until: int, count: int) -> Sequence[Row]:
        return connection.execute(query, (_EVENT_TEXT, workflow_id, until, count)).fetchall()

    return _in_pieces(ask, until, limit)


def _in_pieces(
    ask: Callable[[int, int], Sequence[Row]], until: int | None, limit: int
) -> Iterator[Row]:
    """Events one by one, the newest first: a server sends all rows of a statement at once."""
    newest = _ANY if until is None else until
    for begun in range(0, limit, _PIECE):
        wanted = min(_PIECE, limit - begun)
        rows = ask(newest, wanted)
        yield from rows
        if len(rows) < wanted:
            return
        newest = rows[-1]["seq"] - 1


def turns(connection: Connection, workflow_id: str, limit: int = 2000) -> list[dict[str, Any]]:
    """The newest turns of a workflow, in their order."""
    query = (
        "SELECT t.id, a.name AS agent, t.number, t.status, t.started_at, t.ended_at, "
        "t.stdout_path, t.stderr_path, t.cost_usd FROM turns t JOIN agents a ON a.id = t.agent_id "
        "WHERE t.workflow_id = ? ORDER BY t.id DESC LIMIT ?"
    )
    home = home_of(connection)
    rows = connection.execute(query, (workflow_id, limit)).fetchall()[::-1]
    return [{**dict(row), **_files(home, row)} for row in rows]


def _files(home: str, turn: Row) -> dict[str, str]:
    return {name: found_at(home, turn[name]) for name in ("stdout_path", "stderr_path")}
