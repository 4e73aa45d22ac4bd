"""What begins a workflow. `perles create` uses this alone: it needs no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.controlplane.placement import Placement

if TYPE_CHECKING:
    from perles.domain.specs import WorkflowSpec


class Creation(Placement):
    """Workflows of one home: created, or only shown as they would be."""

    def create(self, spec: WorkflowSpec) -> str:
        """Create a pending workflow with all its tasks in one transaction; its id.

        Raises `UsageError` for whatever is wrong with the spec, before anything is written.
        """
        from perles.workflows.create import insert_workflow, prepare
        from perles.workflows.ids import new_id

        prepared = prepare(spec, self.paths, self.config())
        self._need_cluster(spec)
        workflow_id = new_id()
        asked_by = self._origin()
        self._database.write(lambda tx: insert_workflow(tx, workflow_id, prepared, asked_by))
        return workflow_id

    def preview(self, spec: WorkflowSpec) -> list[dict[str, Any]]:
        """The tasks that `create` would create, in order: key, name, after, and who does each.

        Nothing is written. Raises `UsageError` for whatever is wrong with the spec.
        """
        from perles.workflows.create import preview

        found = preview(spec, self.paths, self.config())
        self._need_cluster(spec)
        return found
