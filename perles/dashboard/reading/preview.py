"""Reading the preview of one workflow: less than its inside takes, and only after it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from perles.controlplane.held_reads import count_tasks, dashboard, foremost_tasks
from perles.dashboard.model.preview import Preview
from perles.dashboard.reading.detail import Record, agents_of, joined, said

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection

EVENTS: Final = 200
"""Events that are read for one preview, shared by its agents."""
AGENTS: Final = 20
TASKS: Final = 200
_SHOWN: Final = ("text", "tool", "error", "notice")


class Previews:
    """The preview that was read last, for as long as its workflow has no new event."""

    def __init__(self) -> None:
        self._of: tuple[str, int] | None = None
        self._known: Preview | None = None

    def look(self, connection: Connection, workflow_id: str) -> Preview:
        """The preview of this workflow as it is now."""
        of = workflow_id, dashboard.newest_event(connection, workflow_id)
        if self._known is None or of != self._of:
            self._of, self._known = of, read_preview(connection, workflow_id)
        return self._known


def read_preview(connection: Connection, workflow_id: str) -> Preview:
    """The tasks of a workflow, its agents, and what they said last."""
    agents = agents_of(connection, workflow_id)
    heard = [one for one in agents if one["status"] != "retired"][:AGENTS]
    records: list[Record] = []
    for agent in heard:
        rows = dashboard.output(connection, workflow_id, agent["id"], EVENTS // len(heard))
        records += (said(dict(row), str(agent["name"])) for row in rows)
    shown = sorted(record for record in records if record.kind in _SHOWN)
    tasks = foremost_tasks(connection, workflow_id, TASKS)
    more = count_tasks(connection, workflow_id) - len(tasks)
    return Preview(workflow_id, agents, tasks, joined(shown), max(0, more))
