"""An engine begins to lead the nodes: by its epoch, which refuses what one before it sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from perles.engine.context import Context
from perles.store.expressions import select
from perles.store.schema.nodes import Node
from perles.store.sql import Sql

_NODES: Final = Sql(select(Node.id).where(Node.state != "gone"))


@runtime_checkable
class Leader(Protocol):
    """An executor that works on nodes: the engine tells it the epoch, and which nodes there are."""

    def lead(self, epoch: int) -> None:
        """The engine leads by this number."""

    def meet(self, nodes: Sequence[str]) -> None:
        """There are these nodes."""


@runtime_checkable
class TellsWhoLeaves(Protocol):
    """An executor that tells of nodes that are about to end: their agents have ended."""

    def when_left(self, call: Callable[[str], None]) -> None:
        """Have this called, from another thread, with the name of such a node."""


def lead(context: Context) -> None:
    """Lead the nodes that are known, where there is a cluster; nothing happens without one."""
    executor, epoch = context.executor, context.database.epoch
    if isinstance(executor, Leader) and epoch is not None:
        executor.lead(epoch)
        executor.meet([row["id"] for row in context.reader.rows(_NODES)])
