"""The list of nodes: which row is selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perles.domain.records import dataclass


@dataclass(frozen=True, slots=True)
class Nodes:
    """`name` is the node that is selected: others may come above it at any time."""

    cursor: int = 0
    name: str | None = None


def place_of(nodes: Nodes, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The place of the selected node in the list that was read; None where there is none."""
    names = [row["name"] for row in rows]
    if nodes.name in names:
        return names.index(nodes.name)
    return min(nodes.cursor, len(names) - 1) if names else None
