"""How the engine stands with its cluster, in the database: readers ask no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from perles.domain.states import CLUSTER, ClusterState, ClusterTrigger
from perles.store.schema.nodes import ClusterLink
from perles.store.transition import fire

if TYPE_CHECKING:
    from perles.config.cluster import Cluster
    from perles.store.database import Tx

_ROW: Final = 1


def began(tx: Tx, cluster: Cluster) -> None:
    """An engine with a cluster starts: it has not reached it yet."""
    from perles.executor.remote.link import ended_after

    waits = cluster.on_partition != "repeat"
    lost_after = None if waits else ended_after(cluster.node_ttl)
    about = {"place": cluster.place, "lost_after": lost_after, "problem": "", "since": tx.now}
    row = tx.get(ClusterLink, _ROW)
    if row is None:
        tx.insert(ClusterLink, id=_ROW, state=ClusterState.CONNECTING, **about)
    elif row.state == ClusterState.CONNECTING:
        tx.update(ClusterLink, _ROW, version=row.version + 1, **about)
    else:
        told = {"place": cluster.place}
        fire(tx, CLUSTER, _ROW, "begin", changes=about, payload=told)


def stands(tx: Tx, problem: str) -> None:
    """The cluster is reached, or cannot be: `problem` says why, "" where it is."""
    row = tx.get(ClusterLink, _ROW)
    if row is None:
        return  # the engine that leads has no cluster any more
    trigger: ClusterTrigger = "fail" if problem else "reach"
    wanted = ClusterState.UNREACHABLE if problem else ClusterState.CONNECTED
    if row.state == wanted:
        if row.problem != problem:
            tx.update(ClusterLink, _ROW, version=row.version + 1, problem=problem)
        return
    changes = {"problem": problem, "since": tx.now}
    payload = {"place": row.place, "reason": problem or None}
    fire(tx, CLUSTER, _ROW, trigger, changes=changes, payload=payload)
