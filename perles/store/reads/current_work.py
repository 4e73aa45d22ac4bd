"""What running workflows do or wait for, in words. By the driver alone.

`worker-1: pytest -q, 6m`, `waiting for you since 10:14: approve deploy?`,
`rate limited until 10:32 (claude)`, `waiting for an AI call (worker-2)`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.clock import to_text
from perles.domain.duration import short_span
from perles.domain.explanations import NEAR, UNHEARD, first_line, moment, out_of_reach
from perles.store.reads.named_leases import Named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from sqlite3 import Connection, Row

Json = dict[str, Any]

_LAST_EVENTS: Final = 64
"""How many of a workflow's last events are searched for a tool that has not answered."""

_OPEN_TURNS: Final = (
    "SELECT t.id, t.workflow_id, t.status, t.created_at, t.started_at, a.name, a.provider, "
    "a.held_until, a.node, n.state AS node_state, n.last_heard_at, "
    "(SELECT lost_after FROM cluster) AS lost_after, k.run, k.title, "
    "w.token_budget > 0 OR w.cost_budget > 0 AS has_budget "
    "FROM turns t JOIN agents a ON a.id = t.agent_id JOIN workflows w ON w.id = t.workflow_id "
    "LEFT JOIN tasks k ON k.id = a.task_id LEFT JOIN nodes n ON n.id = a.node "
    "WHERE t.status IN ('queued', 'starting', 'running') ORDER BY a.role DESC, a.id"
)
_READY: Final = (
    "SELECT a.workflow_id, a.name, a.provider, max(coalesce(a.held_until, ''), "
    "coalesce(h.until, '')) AS until, coalesce(h.until, '') < coalesce(a.held_until, '') AND "
    "(SELECT t.error_class = 'offline' FROM turns t WHERE t.agent_id = a.id "
    "AND t.ended_at IS NOT NULL ORDER BY t.number DESC LIMIT 1) AS is_offline, "
    "a.role = 'worker' AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.agent_id = a.id "
    "AND l.kind = 'worker') AS needs_slot, a.unplaced FROM agents a "
    "LEFT JOIN provider_holds h ON h.provider = a.provider WHERE a.status = 'ready' AND EXISTS "
    "(SELECT 1 FROM messages m WHERE m.agent_id = a.id AND m.status = 'queued') "
    "AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.agent_id = a.id AND t.status = 'queued') "
    "ORDER BY a.id"
)
_NEARLY_USED: Final = (
    'SELECT DISTINCT a.workflow_id, l.provider, l."window", l.used, l.resets_at '
    "FROM provider_limits l JOIN agents a ON a.provider = l.provider "
    "WHERE l.used >= ? AND l.resets_at > ? AND a.status IN ('ready', 'working') "
    "ORDER BY l.used DESC"
)
_BUDGETS: Final = (
    (
        "SELECT r.value, t.tokens FROM resource_limits r, totals t WHERE r.resource = 'tokens'",
        "token",
        "tokens",
    ),
    (
        "SELECT r.value, t.cost_usd FROM resource_limits r, totals t WHERE r.resource = 'cost_usd'",
        "cost",
        "USD",
    ),
)
_CALLS_LEFT: Final = "SELECT \"limit\" > used FROM resource_usage WHERE resource = 'ai_calls'"
_ANY_BUDGET: Final = (
    "SELECT EXISTS (SELECT 1 FROM resource_limits "
    "WHERE resource IN ('tokens', 'cost_usd') AND value > 0)"
)
_LAST_OUTPUT: Final = (
    "SELECT created_at, payload FROM (SELECT turn_id, type, created_at, payload FROM events "
    "WHERE workflow_id = ? ORDER BY seq DESC LIMIT ?) e WHERE turn_id = ? AND type GLOB '*.output' "
    "LIMIT 1"
)

_DELAYED: Final = (
    "SELECT workflow_id, key, held_until FROM tasks "
    "WHERE held_until IS NOT NULL AND status = 'pending' ORDER BY held_until"
)
_NUDGES: Final = (
    "SELECT t.id AS turn_id, t.tokens_in + t.tokens_out + t.tokens_cached AS tokens, t.cost_usd "
    "FROM workflows w JOIN agents a ON a.workflow_id = w.id JOIN messages m ON m.agent_id = a.id "
    "LEFT JOIN turns t ON t.id = m.turn_id "
    "WHERE w.last_recovery_at IS NOT NULL AND m.sender_kind = 'reminder'"
)


class Wait(NamedTuple):
    """Something that is done or waited for, and since when, where that is told."""

    text: str
    since: str | None = None

    def said(self, now: datetime) -> str:
        """`worker-1: pytest -q, 6m`."""
        return self.text if self.since is None else f"{self.text}, {age(self.since, now)}"


def waits_for(
    connection: Connection,
    ids: Sequence[str],
    questions: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> dict[str, list[str]]:
    """What each of these running workflows does or waits for.

    `questions` are those to a person (`waiting_texts`), by workflow: they come first.
    """
    now = now or datetime.now(UTC)
    found = {}
    for id, waits in doings(connection, ids, now).items():
        asked = (questions or {}).get(id)
        found[id] = [*([asked] if asked else []), *(wait.said(now) for wait in waits)]
    return found


def doings(connection: Connection, ids: Sequence[str], now: datetime) -> dict[str, list[Wait]]:
    """What each of these running workflows does or waits for, for who tells its age anew."""
    found: dict[str, list[Wait]] = {id: [] for id in ids}
    if found:
        sources = (_turns(connection, found, now), _held(connection, found, now))
        more = (_slots(connection, found), _delays(connection, found), _names(connection, found))
        for id, wait in chain(*sources, *more):
            found[id].append(wait)
        for id, wait in _quotas(connection, now):
            if found.get(id):  # said beside what is done, of which it may soon be the end
                found[id].append(wait)
    return found


def _quotas(connection: Connection, now: datetime) -> Iterator[tuple[str, Wait]]:
    """The quotas that are nearly used up, of the providers whose agents work or are ready."""
    for row in connection.execute(_NEARLY_USED, (NEAR, to_text(now))):
        told = f"{row['window']} quota of {row['provider']} {row['used']:.0%} used"
        yield row["workflow_id"], Wait(f"{told}, anew at {moment(row['resets_at'])}")


def _turns(
    connection: Connection, wanted: Mapping[str, Any], now: datetime
) -> Iterator[tuple[str, Wait]]:
    rows = connection.execute(_OPEN_TURNS).fetchall()
    queues = any(row["status"] == "queued" for row in rows)
    held = _Held.now(connection) if queues else _Held("", False, False)
    for row in rows:
        if row["workflow_id"] not in wanted:
            continue
        if row["status"] == "queued":
            what = held.by(has_budget=bool(row["has_budget"]))
            wait = Wait(f"{what} ({row['name']})", row["created_at"])
        elif row["node_state"] in UNHEARD:
            said = out_of_reach(row["node"], row["lost_after"])
            wait = Wait(f"{row['name']}: {said}", row["last_heard_at"])
        elif row["held_until"] and datetime.fromisoformat(row["held_until"]) > now:
            # Its CLI sits out a limit by itself, in the middle of a turn.
            limited = rate_limited(row["held_until"], row["provider"])
            wait = Wait(f"{row['name']}: {limited}")
        else:
            doing, since = _doing(connection, row)
            wait = Wait(f"{row['name']}: {doing}", since)
        yield row["workflow_id"], wait


class _Held(NamedTuple):
    """What holds turns back: a budget of all that is used up, another one, or the calls' number."""

    used_up: str
    calls_left: bool
    any_budget: bool

    @classmethod
    def now(cls, connection: Connection) -> _Held:
        """As it stands."""
        left, budget = (
            bool((connection.execute(query).fetchone() or [0])[0])
            for query in (_CALLS_LEFT, _ANY_BUDGET)
        )
        return cls(used_up(connection), left, budget)

    def by(self, *, has_budget: bool) -> str:
        """What a turn waits for, whose workflow may have a budget of its own."""
        if self.used_up:
            return f"waiting, {self.used_up}"
        if self.calls_left and (has_budget or self.any_budget):
            return "waiting, the turns that run have reserved the rest of the budget"
        return "waiting for an AI call"


def used_up(connection: Connection) -> str:
    """`global token budget exhausted: 1200 of 1000 tokens`, or "" where something is left."""
    for query, what, unit in _BUDGETS:
        for limit, used in connection.execute(query):
            if limit and used >= limit:
                return f"global {what} budget exhausted: {used:g} of {limit:g} {unit}"
    return ""


def _doing(connection: Connection, row: Row) -> tuple[str, str]:
    """What a turn does, and since when: its command, the tool it waits for, or just its turn."""
    began = row["started_at"] or row["created_at"]
    if row["run"]:
        # Of many tasks with one command the name tells which it is.
        has_values = "{{" in row["run"] and row["title"]
        return first_line(row["title"] if has_values else row["run"]), began
    values = (row["workflow_id"], _LAST_EVENTS, row["id"])
    last = connection.execute(_LAST_OUTPUT, values).fetchone()
    said = {} if last is None else json.loads(last["payload"])
    if said.get("kind") == "tool" and not said.get("done"):
        return _tool(said), last["created_at"]
    return first_line(row["title"] or "its turn"), began


def _tool(said: Json) -> str:
    """A tool that was called: its command where it has one, else its name and what it was given."""
    try:
        command = json.loads(said.get("input") or "{}").get("command")
    except (ValueError, AttributeError):
        command = None
    if isinstance(command, str) and command.strip():
        return first_line(command)
    return first_line(str(said.get("text") or said.get("name") or "a tool"))


def _held(
    connection: Connection, wanted: Mapping[str, Any], now: datetime
) -> Iterator[tuple[str, Wait]]:
    """Agents with messages and no turn: on hold, or about to get one."""
    said: set[tuple[str, str]] = set()
    for row in connection.execute(_READY).fetchall():
        if row["workflow_id"] not in wanted:
            continue
        until = row["until"]
        if until and datetime.fromisoformat(until) > now:
            in_words = offline if row["is_offline"] else rate_limited
            text = in_words(until, row["provider"])
        elif row["needs_slot"]:
            text = f"waiting for a worker slot ({row['name']})"
        elif row["unplaced"]:
            text = f"{row['name']} waits for a node: {row['unplaced']}"
        else:
            text = f"waiting for a turn ({row['name']})"
        if (row["workflow_id"], text) not in said:
            said.add((row["workflow_id"], text))
            yield row["workflow_id"], Wait(text)


def rate_limited(until: str, provider: str) -> str:
    """`rate limited until 10:32 (claude)`."""
    return f"rate limited until {moment(until)} ({provider})"


def offline(until: str, provider: str) -> str:
    """`offline, asking again 10:32 (claude)`."""
    return f"offline, asking again {moment(until)} ({provider})"


def _slots(connection: Connection, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Wait]]:
    query = (
        "SELECT id, worker_requested_at FROM workflows WHERE state = 'running' "
        "AND worker_requested_at IS NOT NULL"
    )
    for row in connection.execute(query):
        if row["id"] in wanted:
            yield row["id"], Wait("waiting for a worker slot", row["worker_requested_at"])


def _delays(connection: Connection, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Wait]]:
    """Tasks that wait for their next attempt."""
    for row in connection.execute(_DELAYED):
        if row["workflow_id"] in wanted:
            yield row["workflow_id"], Wait(f"{row['key']}: again {moment(row['held_until'])}")


def _names(connection: Connection, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Wait]]:
    """Tasks that wait for a mutex or a limit, and who holds it."""
    for id, text, since in Named(connection).waits():
        if id in wanted:
            yield id, Wait(text, since)


def age(since: str, now: datetime) -> str:
    """The time from then to now, as a short span."""
    return short_span((now - datetime.fromisoformat(since)).total_seconds())


def nudges(connection: Connection, workflow_id: str | None = None) -> Json:
    """How often coordinators were nudged, and what the turns used that the nudges went to."""
    query = _NUDGES if workflow_id is None else _NUDGES + " AND w.id = ?"
    rows = connection.execute(query, () if workflow_id is None else (workflow_id,)).fetchall()
    turns = {row["turn_id"]: row for row in rows if row["turn_id"] is not None}
    return {
        "count": len(rows),
        "tokens": sum(row["tokens"] for row in turns.values()),
        "cost_usd": sum(row["cost_usd"] for row in turns.values()),
    }
