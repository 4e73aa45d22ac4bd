"""The columns that `perles list --columns` can have."""

from collections.abc import Callable, Sequence
from typing import Final

from perles.controlplane.quick import Json
from perles.domain.duration import span

Cell = Callable[[Json], object]


def _tasks(row: Json) -> str:
    counts = row["tasks"]
    return f"{counts['done']}/{counts['total']}"


def _cost(row: Json) -> str:
    from perles.domain.money import in_cell

    return in_cell(row["cost_usd"], row["tokens_used"])


COLUMNS: Final[dict[str, Cell]] = {
    **{
        name: (lambda row, name=name: row[name])  # type: ignore[misc]  # bound at once
        for name in ("id", "name", "state", "priority", "workers", "provider", "branch", "health")
    },
    "tasks": _tasks,
    "uptime": lambda row: span(row["uptime_s"]),
    "tokens": lambda row: row["tokens_used"],
    "cost": _cost,
    "template": lambda row: row["template_id"],
    "labels": lambda row: ",".join(f"{key}={value}" for key, value in row["labels"].items()),
    "dir": lambda row: row["work_dir"],
    "created": lambda row: row["created_at"],
    "started": lambda row: row["started_at"],
    "ended": lambda row: row["ended_at"],
    "reason": lambda row: row["reason"],
    "unread": lambda row: row["unread_posts"],
}
NOTE: Final = "note"
NAMES: Final = (*COLUMNS, NOTE)


def cells(row: Json, names: Sequence[str], note: Callable[[Json], str]) -> list[str]:
    """One line of the table; `-` for what there is not."""
    found = [note(row) if name == NOTE else COLUMNS[name](row) for name in names]
    return ["-" if one is None or one == "" else str(one) for one in found]
