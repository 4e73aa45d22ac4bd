"""The preview of the selected workflow: what it shows, and where the table leaves room for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

LEAST_TABLE: Final = 26
"""Rows that the table must have for a preview below it: those of a screen of 30."""
LEAST: Final = 10
"""Rows that a preview needs."""


class Preview(NamedTuple):
    """What is read of the workflow that is selected in the table."""

    workflow_id: str
    agents: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    said: Sequence[Any] = ()
    """The newest records of what its agents said and did, in their order."""
    more_tasks: int = 0
    """How many tasks there are beside those in `tasks`."""


def preview_rows(room: int, count: int) -> int:
    """How many of the table's rows the preview takes, by the number of workflows; 0 for none."""
    free = room - count - 1
    return free if count and room >= LEAST_TABLE and free >= LEAST else 0
