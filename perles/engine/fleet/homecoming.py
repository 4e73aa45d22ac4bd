"""An engine without a cluster, after one that had one: its agents come back to this machine.

An agent itself moves when its next turn begins: `turns.start.begin`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from perles.domain.duration import span
from perles.domain.states import LIVE_TURNS, NodeState
from perles.engine.context import Context, log
from perles.engine.fleet import cluster_status, nodes
from perles.store.events import journal
from perles.store.expressions import func, select
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.nodes import ClusterLink, Node
from perles.store.sql import Sql
from perles.store.transaction import Tx

_TURNS_THERE: Final = Sql(
    select(func.count())
    .select_from(Turn)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Turn.status.in_(LIVE_TURNS), Agent.node.is_not(None))
)


async def wait(context: Context, link: ClusterLink, stopping: asyncio.Event) -> bool:
    """Wait until no agent lives on a node for certain; False where the engine is to end before.

    Nobody renews the leases of the nodes from the moment at which this engine leads: each ends
    its agents by itself. Nothing is waited for where no turn was left there.
    """
    if not context.reader.value(_TURNS_THERE):
        return True
    log.warning(
        "turns run on nodes of %s, and the configuration has no cluster any more: in %s the "
        "nodes have ended them",
        link.place,
        span(link.fenced_after),
    )
    try:
        async with asyncio.timeout(link.fenced_after):
            await stopping.wait()
    except TimeoutError:
        return True
    return False


def over(tx: Tx) -> None:
    """There is no cluster any more, and none of its nodes."""
    link = cluster_status.link_of(tx)
    if link is None:
        return
    reason = "the configuration has no cluster any more"
    for node in tx.all(Node, nodes.NODES):
        if node.state != NodeState.GONE:
            nodes.gone(tx, node.id, reason)
    cluster_status.remove(tx)
    journal.append(tx, "cluster.removed", {"place": link.place})
