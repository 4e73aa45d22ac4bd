"""The nodes of a cluster. A part of the façade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.domain.errors import UsageError
from perles.store.reads import nodes as reads
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perles.domain.specs import WorkflowSpec


class Nodes(EngineHost):
    """The machines on which turns run beside this one."""

    def tasks_for_nodes(self, workflow_id: str) -> Sequence[str]:
        """The tasks, by key, that say what a node must have, where there is no cluster.

        They run on the engine's machine, whatever that has.
        """
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
        status = self.engine_status()
        if status is not None:
            return status["cluster"] is not None
        return bool(self.engine_config().cluster)

    def nodes(self) -> Sequence[dict[str, Any]]:
        """All nodes that have ever joined, by name: `nodes --json`."""
        with reading(self.database_path) as connection:
            return reads.nodes(connection)

    def drain_node(self, name: str) -> str:
        """Give a node no more turns; those that it runs go on. Its state.

        Raises `NotFoundError`, `WrongStateError` for one that is gone, `PersonNeededError`.
        """
        from perles.engine.fleet import nodes

        self.need_person("drain a node")
        return self._database.write(lambda tx: nodes.drain(tx, name))

    def resume_node(self, name: str) -> str:
        """Let a node get turns again. Its state. Raises `NotFoundError`, `PersonNeededError`."""
        from perles.engine.fleet import nodes

        self.need_person("resume a node")
        return self._database.write(lambda tx: nodes.resume(tx, name))
