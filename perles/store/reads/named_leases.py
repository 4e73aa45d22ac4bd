"""Mutexes and limits that tasks share: who holds each, and who waits. By the driver alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.named_limits import has_room, in_words
from perles.domain.priority import rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from sqlite3 import Connection, Row

Json = dict[str, Any]

MAX_NAMED: Final = 3
"""How many holders of a name are shown to a task that waits for it."""
MAX_QUEUE: Final = 100
_CLAIMS: Final = (
    "SELECT n.name, n.size, n.task_id, n.asked_at, n.acquired_at, n.workflow_id, t.key, "
    "t.assignee, w.name AS workflow, w.state, w.priority FROM named_leases n "
    "JOIN tasks t ON t.id = n.task_id JOIN workflows w ON w.id = n.workflow_id ORDER BY n.id"
)


class _Name(NamedTuple):
    """A name with its holders and the tasks that wait for it, the next one first."""

    holders: list[Row]
    line: list[Row]

    @property
    def sizes(self) -> list[int]:
        """How many may hold it, as each of its holders has it."""
        return [row["size"] for row in self.holders]


class Named:
    """All named leases, as they stand now."""

    def __init__(self, connection: Connection) -> None:
        self._names: dict[str, _Name] = {}
        for row in connection.execute(_CLAIMS):
            name = self._names.setdefault(row["name"], _Name([], []))
            (name.holders if row["acquired_at"] else name.line).append(row)
        for name in self._names.values():
            name.line.sort(key=_place)
        self._waiting = {
            (name, row["task_id"]) for name, found in self._names.items() for row in found.line
        }

    def resources(self) -> Iterator[Json]:
        """A row for each name that is held or waited for, as `perles resources` has them."""
        for name, found in sorted(self._names.items()):
            limit = min(row["size"] for row in (*found.holders, *found.line))
            yield {
                "resource": in_words(name, limit),
                "limit": limit,
                "used": len(found.holders),
                "waiting": len(found.line),
                "holders": [
                    {
                        "workflow_id": row["workflow_id"],
                        "name": row["workflow"],
                        "state": row["state"],
                        "agent": row["assignee"],
                        "task": row["key"],
                        "value": None,
                        "since": row["acquired_at"],
                    }
                    for row in found.holders
                ],
                "queue": [
                    {
                        "workflow_id": row["workflow_id"],
                        "name": row["workflow"],
                        "agent": row["assignee"],
                        "task": row["key"],
                        "since": row["asked_at"],
                    }
                    for row in found.line[:MAX_QUEUE]
                ],
            }

    def waits(self) -> Iterator[tuple[str, str, str]]:
        """Each task that waits: its workflow, what it waits for in words, and since when."""
        seen: dict[int, tuple[Row, dict[str, int]]] = {}
        for name, found in self._names.items():
            for row in found.line:
                seen.setdefault(row["task_id"], (row, {}))[1][name] = row["size"]
        for id, (row, wants) in seen.items():
            yield row["workflow_id"], f"{row['key']}: {self._said(id, wants)}", row["asked_at"]

    def said_of(self, row: Mapping[str, Any] | Row, wants: Mapping[str, int]) -> str | None:
        """What a row of `tasks` that is ready waits for; None where nothing holds it up.

        `wants` has the names that the task is to hold, with how many may hold each.
        """
        if not wants or row["status"] not in ("ready", "in_progress"):
            return None
        waits = any((name, row["id"]) in self._waiting for name in wants)
        is_held_up = waits or (row["status"] == "ready" and self._full(wants))
        return self._said(row["id"], wants) if is_held_up else None

    def _full(self, wants: Mapping[str, int]) -> list[str]:
        """Those names, in order, that nobody more may hold."""
        return [
            name
            for name, size in sorted(wants.items())
            if not has_room(size, self._names.get(name, _NOBODY).sizes)
        ]

    def _said(self, task_id: int, wants: Mapping[str, int]) -> str:
        """`waiting for mutex deploy, held by build of nightly (wf-…)`."""
        full = [
            f"{in_words(name, wants[name])}, held by {_who(self._names[name].holders)}"
            for name in self._full(wants)
        ]
        if full:
            return f"waiting for {'; '.join(full)}"
        names = ", ".join(in_words(name, size) for name, size in sorted(wants.items()))
        before = [
            one
            for name in sorted(wants)
            for one in self._names.get(name, _NOBODY).line[:1]
            if one["task_id"] != task_id
        ]
        return f"waiting for {names}" + (f", after {_who(before)}" if before else ", next in line")


_NOBODY: Final = _Name([], [])


def _who(rows: Sequence[Row]) -> str:
    shown = rows[:MAX_NAMED]
    named = (f"{row['key']} of {row['workflow']} ({row['workflow_id']})" for row in shown)
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    return ", ".join(named) + more


def _place(row: Row) -> tuple[float, int]:
    asked = datetime.fromisoformat(row["asked_at"]).timestamp()
    return (rank(asked, row["priority"]), row["task_id"])
