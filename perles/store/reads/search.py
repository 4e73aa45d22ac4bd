"""Walking through a workflow's events piece by piece, to search them for a text.

Every query is bounded by seqs that the index of a workflow's events gives, so that
a step takes as long as its piece is big, however much there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

SPOKEN: Final = (
    "(e.type GLOB '*.output' OR e.type GLOB '*.incoming' OR (e.type GLOB 'turn.[fsilt]*' "
    "AND e.type != 'turn.starting') OR e.type = 'user.notification')"
)
"""The events that an agent's transcript is made of."""
_ROWS: Final = (
    "SELECT e.seq, e.created_at, e.type, e.payload, e.turn_id, a.name AS agent, t.key AS task, "
    "json_remove(e.payload, '$.v') AS text FROM events e "
    "LEFT JOIN agents a ON a.id = e.agent_id LEFT JOIN tasks t ON t.id = e.task_id "
    "WHERE e.workflow_id = ? AND e.seq BETWEEN ? AND ?"
)

_OLDER: Final = (
    "SELECT min(seq) FROM (SELECT seq FROM events WHERE workflow_id = ? AND seq < ? "
    "ORDER BY seq DESC LIMIT ?) e"
)
_NEWER: Final = (
    "SELECT max(seq) FROM (SELECT seq FROM events WHERE workflow_id = ? AND seq > ? "
    "ORDER BY seq LIMIT ?) e"
)


def ends(connection: Connection, workflow_id: str) -> tuple[int, int]:
    """The seqs of the first and the last event of a workflow; 0 and 0 where it has none."""
    query = (
        "SELECT (SELECT seq FROM events WHERE workflow_id = :id ORDER BY seq LIMIT 1), "
        "(SELECT seq FROM events WHERE workflow_id = :id ORDER BY seq DESC LIMIT 1)"
    )
    first, last = connection.execute(query, {"id": workflow_id}).fetchone()
    return first or 0, last or 0


def edge(connection: Connection, workflow_id: str, at: int, count: int, step: int) -> int | None:
    """The seq `count` events on from `at`, or the last one there is; None where none is left.

    `step` 1 goes to older events, -1 to newer ones; `at` itself does not count.
    """
    query = _OLDER if step > 0 else _NEWER
    seq: int | None = connection.execute(query, (workflow_id, at, count)).fetchone()[0]
    return seq


def piece(
    connection: Connection,
    workflow_id: str,
    agent: str | None,
    between: tuple[int, int],
    word: str,
    step: int,
) -> Iterator[Row]:
    """The events between two seqs whose stored text holds a word, one by one.

    Of one agent, as its transcript has them, or of all; the newest first where `step` is 1.
    """
    query, values = _ROWS, [workflow_id, *between]
    if agent is not None:
        query += f" AND a.name = ? AND {SPOKEN}"
        values.append(agent)
    if word:
        query += " AND (e.payload LIKE ? OR e.type LIKE ? OR a.name LIKE ? OR t.key LIKE ?)"
        values += [f"%{word}%"] * 4
    rows: Iterator[Row] = connection.execute(
        f"{query} ORDER BY e.seq {'DESC' if step > 0 else ''}", values
    )
    return rows


def around(
    connection: Connection, workflow_id: str, agent: str | None, seq: int, count: int, most: int
) -> int | None:
    """The seq up to which to show events, so that those around `seq` are in sight.

    The position after a number of events or bytes; None where there are fewer.
    """
    query = (
        "SELECT e.seq, length(e.payload) FROM events e LEFT JOIN agents a ON a.id = e.agent_id "
        "WHERE e.workflow_id = ? AND e.seq > ?"
    )
    values: list[Any] = [workflow_id, seq]
    if agent is not None:
        query += f" AND a.name = ? AND {SPOKEN}"
        values.append(agent)
    last, used = seq, 0
    rows = connection.execute(f"{query} ORDER BY e.seq LIMIT ?", (*values, count + 1))
    for number, (found, size) in enumerate(rows):
        used += size
        if number == count or used > most:
            return last
        last = found
    return None
