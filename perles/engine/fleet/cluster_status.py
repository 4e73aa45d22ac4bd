"""How the engine stands with its cluster, in the database: readers ask no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from perles.domain.states import CLUSTER, ClusterState, ClusterTrigger
from perles.store.expressions import delete
from perles.store.schema.nodes import ClusterLink
from perles.store.sql import Sql
from perles.store.transition import fire

if TYPE_CHECKING:
    from perles.config.cluster import Cluster
    from perles.store.reader import Reader
    from perles.store.transaction import Tx

_ROW: Final = 1
_DROP: Final = Sql(delete(ClusterLink))


def began(tx: Tx, cluster: Cluster) -> None:
    """An engine with a cluster starts: it has not reached it yet."""
    from perles.executor.remote.link import ended_after

    fenced_after = ended_after(cluster.node_ttl)
    lost_after = fenced_after if cluster.on_partition == "repeat" else None
    about: dict[str, Any] = {"place": cluster.place, "problem": "", "since": tx.now}
    about |= {"lost_after": lost_after, "fenced_after": fenced_after}
    row = link_of(tx)
    if row is None:
        tx.insert(ClusterLink, id=_ROW, state=ClusterState.CONNECTING, **about)
    elif row.state == ClusterState.CONNECTING:
        tx.update(ClusterLink, _ROW, version=row.version + 1, **about)
    else:
        told = {"place": cluster.place}
        fire(tx, CLUSTER, _ROW, "begin", changes=about, payload=told)


def link_of(reader: Reader) -> ClusterLink | None:
    """The row of the cluster; None where the engine that led last had none."""
    return reader.get(ClusterLink, _ROW)


def remove(tx: Tx) -> None:
    """The engine has no cluster."""
    tx.run(_DROP)


def stands(tx: Tx, problem: str) -> None:
    """The cluster is reached, or cannot be: `problem` says why, "" where it is."""
    row = link_of(tx)
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
