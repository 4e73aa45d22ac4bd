"""An engine begins to lead the nodes: by the next epoch, which refuses what one before it sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

from perles.engine.context import Context
from perles.store.database import Tx
from perles.store.expressions import select
from perles.store.schema.leadership import Leadership
from perles.store.schema.nodes import Node
from perles.store.sql import Sql

_NODES: Final = Sql(select(Node.id).where(Node.state != "gone"))


@runtime_checkable
class Leader(Protocol):
    """An executor that works on nodes: it is told by which epoch, and which nodes there are."""

    def lead(self, epoch: int) -> None:
        """The engine leads by this number."""

    def meet(self, nodes: Sequence[str]) -> None:
        """There are these nodes."""


async def lead(context: Context) -> None:
    """Lead the nodes that are known, where there is a cluster; nothing happens without one."""
    executor = context.executor
    if not isinstance(executor, Leader):
        return
    given: int | None = getattr(context.database, "epoch", None)
    executor.lead(await context.writer.write(_next) if given is None else given)
    executor.meet([row["id"] for row in context.reader.rows(_NODES)])


def _next(tx: Tx) -> int:
    """The epoch of an engine that starts now."""
    before = tx.get(Leadership, 1)
    if before is None:
        tx.insert(Leadership, id=1, epoch=1)
        return 1
    tx.update(Leadership, 1, epoch=before.epoch + 1)
    return before.epoch + 1
