"""The library, and clusters that it starts: each by its own class, imported only when asked for."""

from __future__ import annotations

import importlib
import os
from typing import Any, Final

from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError

INSTALL: Final = {
    "distributed": "pip install 'perles[cluster]'",
    "asyncssh": "pip install asyncssh",
    "dask_jobqueue": "pip install dask-jobqueue",
    "dask_kubernetes": "pip install dask-kubernetes",
}
NO_REQUEUE: Final = "--no-requeue"
"""Slurm would run a job again whose machine failed: what runs again is Perles's to decide."""


def library() -> tuple[Any, Any]:
    """The class of clients, and our plugin. Raises `ClusterError` where Dask is not installed."""
    distributed = module("distributed")
    from perles.cluster.plugin import NodeStarter

    return distributed.Client, NodeStarter


def module(name: str) -> Any:
    """A library of Dask. Raises `ClusterError` that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ClusterError(f"cannot use cluster: {name} is missing: {INSTALL[name]}") from error


def security(settings: Cluster) -> Any:
    """The certificates; None where there are none. Raises `ClusterError` for a missing file."""
    given = {
        "tls_ca_file": settings.ca,
        "tls_client_cert": settings.certificate,
        "tls_client_key": settings.key,
    }
    files = {name: os.path.expanduser(path) for name, path in given.items() if path}
    for path in files.values():
        if not os.access(path, os.R_OK):
            raise ClusterError(f"cannot read {path}, which cluster: names for TLS")
    if not files:
        return None
    return module("distributed").Security(require_encryption=True, **files)


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
        raise ClusterError(f"{what}: {in_words(error)}") from error


def _ssh(settings: Cluster) -> Any:
    """A scheduler on the first machine, a worker on each."""
    module("asyncssh")
    users = [host.rpartition("@") for host in settings.ssh]
    hosts = [host for _, _, host in users]
    options = [{"username": user} if user else {} for user, _, _ in users]
    return module("distributed").SSHCluster(
        [hosts[0], *hosts],
        connect_options=[options[0], *options],
        worker_options={"nthreads": 1, "memory_limit": 0},
        scheduler_options={"dashboard": False, "port": 0},
        remote_python=settings.python or None,
        asynchronous=True,
        name="perles",
    )


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


def in_words(error: BaseException) -> str:
    """What an error says, in one bounded line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
