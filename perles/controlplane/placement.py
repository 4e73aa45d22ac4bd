"""Whether what a workflow asks of nodes can be had. A part of the façade that needs no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perles.controlplane.home_folder import HomeFolder
from perles.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perles.domain.specs import WorkflowSpec


class Placement(HomeFolder):
    """Where workflows are to run."""

    def tasks_for_nodes(self, workflow_id: str) -> Sequence[str]:
        """The tasks, by key, that say what a node must have, where there is no cluster.

        They run on the engine's machine, whatever that has.
        """
        from perles.store.reads import nodes as reads
        from perles.store.reads.connection import reading

        with reading(self.database_path) as connection:
            found = reads.tasks_for_nodes(connection, workflow_id)
        return found if found and not self._has_cluster() else []

    def _need_cluster(self, spec: WorkflowSpec) -> None:
        """Raise `UsageError` where a workflow is to run on nodes, and there are none."""
        if not spec.on or self._has_cluster():
            return
        from perles.domain.placement import Place

        place = Place(labels=tuple(spec.on))
        if self.engine_config().cluster:
            raise UsageError(
                f"cannot run on nodes with {place}: the engine was started without the cluster "
                "of the configuration; perles engine stop ends it, the next one has it"
            )
        raise UsageError(
            f"cannot run on nodes with {place}: there is no cluster; perles nodes tells more"
        )

    def _has_cluster(self) -> bool:
        """Whether turns run on nodes: as the engine that runs has it, or the next one will."""
        from perles.controlplane.engine_host import EngineHost

        engine = EngineHost(self.paths.root, config_file=self._config_file)
        status = engine.engine_status()
        if status is not None:
            return status["cluster"] is not None
        return bool(self.engine_config().cluster)
