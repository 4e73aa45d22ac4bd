"""The library, and clusters that it starts: each by its own class, imported only when asked for."""

from __future__ import annotations

from typing import Any, Final

from perles.cluster.certificates import security, temporary
from perles.cluster.libraries import module
from perles.cluster.reaching import in_line
from perles.cluster.ssh import SshCluster
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError

NO_REQUEUE: Final = "--no-requeue"
"""Slurm would run a job again whose machine failed: what runs again is Perles's to decide."""


def library() -> tuple[Any, Any]:
    """The class of clients, and our plugin. Raises `ClusterError` where Dask is not installed."""
    distributed = module("distributed")
    from perles.cluster.plugin import NodeStarter

    return distributed.Client, NodeStarter


def node_settings(settings: Cluster) -> Any:
    """How the nodes are started."""
    from perles.cluster.plugin import NodeSettings

    labels = {name: tuple(words) for name, words in settings.labels.items()}
    return NodeSettings(slots=settings.max_workers, folder=settings.folder, labels=labels)


async def started(settings: Cluster) -> Any:
    """A cluster of Dask's own, started as the settings say. Raises `ClusterError`."""
    try:
        made = _MAKERS[settings.kind](settings)
        return await made
    except ClusterError:
        raise
    except Exception as error:
        what = f"cannot start the cluster of cluster.{settings.kind}"
        raise ClusterError(f"{what}: {in_line(error)}") from error


async def _ssh(settings: Cluster) -> Any:
    """A scheduler on the first machine, a worker on each."""
    made = SshCluster(settings, security(settings) or temporary())
    await made.start()
    return made


def slurm_arguments(settings: Cluster) -> tuple[dict[str, Any], int]:
    """What SLURMCluster is given, and how many jobs are asked for."""
    given = dict(settings.slurm)
    jobs = int(given.pop("jobs", 1))
    extra = [str(word) for word in given.pop("job_extra_directives", [])]
    if NO_REQUEUE not in extra:
        extra.append(NO_REQUEUE)
    # One worker a job: it runs no tasks, it only starts the node of its machine.
    given.setdefault("processes", 1)
    given.setdefault("cores", 1)
    given.setdefault("memory", "1GB")
    return given | {"job_extra_directives": extra}, jobs


def _slurm(settings: Cluster) -> Any:
    given, jobs = slurm_arguments(settings)
    made = module("dask_jobqueue").SLURMCluster(asynchronous=True, **given)
    made.scale(jobs=jobs)
    return made


def _kubernetes(settings: Cluster) -> Any:
    operator = module("dask_kubernetes").operator
    return operator.KubeCluster(
        asynchronous=True, shutdown_on_close=not settings.keep, **settings.kubernetes
    )


_MAKERS: Final = {"ssh": _ssh, "slurm": _slurm, "kubernetes": _kubernetes}
