"""Tasks as an export of beads, one JSON object for each: `bd export`, `.beads/issues.jsonl`."""

from collections.abc import Sequence
from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.templates.task_files.item import Item

LINE: Final = "\0line"
"""Where the number of a row's line is kept."""
_DONE: Final = ("closed", "tombstone", "done", "cancelled")
_BLOCKS: Final = ("blocks", "block")
_PARTS: Final = (
    ("description", ""),
    ("design", "## Design"),
    ("acceptance_criteria", "## It is done when"),
    ("notes", "## Notes"),
)


def is_beads(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether these are tasks of beads."""
    return all(
        isinstance(row.get("id"), str)
        and "title" in row
        and ("issue_type" in row or "dependencies" in row or "status" in row)
        for row in rows
    )


def read(rows: Sequence[dict[str, Any]], source: str, only: str = "") -> list[Item]:
    """The tasks; epics are no tasks themselves. With `only`, those below the epic of that id.

    Raises `UsageError` where there is no such epic.
    """
    by_id = {str(row["id"]): row for row in rows}
    if only and only not in by_id:
        raise UsageError(f"cannot use {source}: it has no {only!r}{nearest(only, by_id)}")
    wanted = _below(only, rows) if only else set(by_id)
    return [
        Item(
            where=f"{source}:{row[LINE]}" if LINE in row else f"{source}, {row['id']}",
            name=str(row["id"]),
            title=str(row["title"]),
            body=_body(row),
            after=[one for one in _blockers(row) if one in wanted and not _is_epic(by_id[one])],
            done=str(row.get("status", "open")) in _DONE,
        )
        for row in rows
        if str(row["id"]) in wanted and not _is_epic(row)
    ]


def _is_epic(row: dict[str, Any]) -> bool:
    return row.get("issue_type") == "epic"


def _body(row: dict[str, Any]) -> str:
    parts = [
        f"{head}\n\n{row[name]}" if head else str(row[name])
        for name, head in _PARTS
        if row.get(name)
    ]
    return "\n\n".join(part.strip() for part in parts)


def _links(row: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for link in row.get("dependencies") or ():
        if isinstance(link, dict):
            other = link.get("depends_on_id") or link.get("id")
            found.append((str(other), str(link.get("type") or link.get("dependency_type") or "")))
    return found


def _blockers(row: dict[str, Any]) -> list[str]:
    return [other for other, kind in _links(row) if kind in _BLOCKS]


def _below(epic: str, rows: Sequence[dict[str, Any]]) -> set[str]:
    """The ids of an epic's tasks, directly or through others."""
    parents: dict[str, set[str]] = {}
    for row in rows:
        id = str(row["id"])
        above = {other for other, kind in _links(row) if kind == "parent-child"}
        above |= {str(row["parent"])} if row.get("parent") else set()
        above |= {id.rpartition(".")[0]} if "." in id else set()
        parents[id] = above
    found: set[str] = set()
    waiting = [epic]
    while waiting:
        over = waiting.pop()
        below = {id for id, above in parents.items() if over in above and id not in found}
        found |= below
        waiting += below
    return found - {epic}
