"""What is said of a cluster and its nodes, the same at every door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from perles.domain.duration import span

NO_NODES: Final = "no nodes: turns run on this machine; docs/cluster.md tells how to add others"


def standing(cluster: Mapping[str, Any], now: datetime | None = None) -> str:
    """How the engine stands with its cluster: `unreachable since 12s: cannot reach tcp://…`."""
    why = f": {cluster['problem']}" if cluster["problem"] else ""
    return f"{cluster['state']} since {since(cluster['since'], now)}{why}"


def no_nodes(cluster: Mapping[str, Any] | None, now: datetime | None = None) -> str:
    """What stands where there is no node, and what is waited for."""
    if cluster is None:
        return NO_NODES
    words = f"the cluster ({cluster['place']}): {standing(cluster, now)}"
    if cluster["state"] == "connected":
        return f"waiting for the first node of {words}"
    return f"waiting for {words}"


def since(at: str, now: datetime | None = None) -> str:
    """How long ago a stored time is."""
    return span(((now or datetime.now(UTC)) - datetime.fromisoformat(at)).total_seconds())
