"""The executor of an engine that has a cluster: this machine, and nodes reached by Dask."""

from perles.cluster.channel import DaskChannel
from perles.config.cluster import Cluster
from perles.executor.contract import Executor
from perles.executor.fleet import FleetExecutor
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links


def fleet_of(local: Executor, channel: DaskChannel, cluster: Cluster) -> FleetExecutor:
    """Turns on this machine and on the nodes that the channel reaches."""
    law = Law(epoch=0, ttl=cluster.node_ttl, repeats=cluster.on_partition == "repeat")
    return FleetExecutor(local, Links(channel, law))
