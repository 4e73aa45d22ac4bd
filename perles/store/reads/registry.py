"""The registry of workflow instances: which there are, and all that is known of each.

Nothing here imports SQLAlchemy: `perles list` costs a tenth of a second as a whole process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perles.domain.errors import NotFoundError
from perles.domain.workflow_filter import WorkflowFilter
from perles.store.reads.connection import Json, reading
from perles.store.reads.overviews import Listing, list_workflows

if TYPE_CHECKING:
    from pathlib import Path


class Registry:
    """Reads workflow instances from one database.

    It promises: each call sees one committed state, waits for no engine and changes nothing;
    the shapes are those of `docs/json.md`; a database that does not exist yet is an empty
    registry. Every method raises `DatabaseError` for a database that this code cannot read.
    """

    def __init__(self, database_path: Path) -> None:
        self._path = database_path

    def list(self, wanted: WorkflowFilter) -> Listing:
        """The workflows that fit a filter, newest first, as `list --json` shows them."""
        with reading(self._path) as connection:
            return list_workflows(connection, wanted)

    def get(self, ref: str) -> Json:
        """One workflow with its tasks and agents, as `show --json` has it.

        `ref` is an id, a unique prefix of one, or a unique name. Raises `NotFoundError`,
        `AmbiguousIdError`.
        """
        from perles.store.reads.references import resolve
        from perles.store.reads.workflow import show_workflow

        with reading(self._path) as connection:
            return show_workflow(connection, resolve(connection, ref))

    def resolve(self, ref: str) -> str:
        """The id that `ref` means. Raises `NotFoundError`, `AmbiguousIdError`."""
        from perles.store.reads.references import resolve

        with reading(self._path) as connection:
            return resolve(connection, ref)

    def state_of(self, workflow_id: str) -> str:
        """The state of the workflow with this whole id. Raises `NotFoundError`."""
        row = None
        with reading(self._path) as connection:
            if connection is not None:
                query = "SELECT state FROM workflows WHERE id = ?"
                row = connection.execute(query, (workflow_id,)).fetchone()
        if row is None:
            raise NotFoundError("workflow", workflow_id)
        return str(row[0])
