"""The nodes of a cluster. A part of the façade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.store.reads import nodes as reads
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from collections.abc import Sequence


class Nodes(EngineHost):
    """The machines on which turns run beside this one."""

    def nodes(self) -> Sequence[dict[str, Any]]:
        """All nodes that have ever joined, by name: `nodes --json`."""
        with reading(self.database_path) as connection:
            return reads.nodes(connection)

    def drain_node(self, name: str) -> str:
        """Give a node no more turns; its running turns go on. Its state.

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
