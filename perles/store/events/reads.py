"""Events, on the read side. By the driver alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

Json = dict[str, Any]
_EVENTS: Final = (
    "SELECT e.seq, e.created_at, e.type, e.workflow_id, a.name AS agent, k.key AS task, "
    "e.turn_id, e.payload FROM events e LEFT JOIN agents a ON a.id = e.agent_id "
    "LEFT JOIN tasks k ON k.id = e.task_id"
)
_HAS_LABEL: Final = (
    "e.workflow_id IN (SELECT workflow_id FROM workflow_labels WHERE key = ? AND value = ?)"
)

_NARROW: Final = ("e.seq < ?", "a.name = ?")


class EventFilter(NamedTuple):
    """Which events are wanted: an event has to match each field; an empty one matches all.

    `types` and `exclude` are globs of event types, several of them also in one text with
    commas between. `labels` are pairs of key and value that the event's workflow has, all of
    them. An event of no workflow fits neither `workflows` nor `labels`.
    """

    types: Sequence[str] = ()
    exclude: Sequence[str] = ()
    workflows: Sequence[str] = ()
    labels: Sequence[tuple[str, str]] = ()


EVERY: Final = EventFilter()


def read_events(
    connection: Connection | None,
    *,
    since: int = 0,
    wanted: EventFilter = EVERY,
    before: int | None = None,
    agent: str | None = None,
    limit: int | None = None,
    newest: bool = False,
) -> list[Json]:
    """The events that fit after seq `since` and before `before`, in order.

    Of one `agent`, where one is named; `newest` takes the last `limit`.
    """
    if connection is None:
        return []
    types, exclude = globs_of(wanted.types), globs_of(wanted.exclude)
    counts = (len(types), len(exclude), len(wanted.workflows), len(wanted.labels))
    query = _events_query(counts, (before is not None, agent is not None), limit, newest)
    labels = [text for pair in wanted.labels for text in pair]
    narrow = [value for value in (before, agent) if value is not None]
    values = (since, *types, *exclude, *wanted.workflows, *labels, *narrow)
    rows = connection.execute(query, values).fetchall()
    if newest:
        rows.reverse()
    return [_event(row) for row in rows]


def globs_of(given: Sequence[str]) -> list[str]:
    """Each glob by itself of texts that may hold several, with commas between."""
    return [glob.strip() for text in given for glob in text.split(",")]


@lru_cache(maxsize=64)
def _events_query(
    counts: tuple[int, int, int, int], narrow: tuple[bool, bool], limit: int | None, newest: bool
) -> str:
    types, exclude, workflows, labels = counts
    terms = ["e.seq > ?"]
    if types:
        terms.append(f"({' OR '.join(['e.type GLOB ?'] * types)})")
    terms += ["e.type NOT GLOB ?"] * exclude
    if workflows == 1:
        terms.append("e.workflow_id = ?")
    elif workflows:
        terms.append(f"e.workflow_id IN ({', '.join('?' * workflows)})")
    terms += [_HAS_LABEL] * labels
    terms += [term for term, is_on in zip(_NARROW, narrow, strict=True) if is_on]
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


def seq_before(connection: Connection | None, moment: str) -> int:
    """The seq of the last event before a time; 0 where there is none. By halves: no index has it.

    Times rise with the seq, but for where a clock was set back: then it is one of those.
    """
    low, high = 0, last_seq(connection)
    while low < high:
        assert connection is not None
        middle = (low + high + 1) // 2
        query = "SELECT seq, created_at FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        row = connection.execute(query, (middle,)).fetchone()
        if row is None or row["created_at"] < moment:
            low = middle
        else:
            high = row["seq"] - 1
    return low


def last_seq(connection: Connection | None) -> int:
    """The seq of the newest event, 0 where there is none."""
    if connection is None:
        return 0
    row = connection.execute("SELECT max(seq) FROM events").fetchone()
    return int(row[0] or 0)
