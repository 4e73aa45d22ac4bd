"""One connection to a Dask scheduler, and the workers behind it. For one event loop."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any, Final, NamedTuple

from perles.cluster import certificates, clusters
from perles.cluster.reaching import in_line, in_words, probe
from perles.cluster.sealed import Sealed, sealed
from perles.cluster.ssh import SshCluster
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError

CONNECT_SECONDS: Final = 10.0
BY_SCHEDULER_SECONDS: Final = 60.0
"""How long a worker that could not be reached directly is asked by way of the scheduler."""
DIRECT_SECONDS: Final = 2.0
"""How long to wait for a direct connection to a worker."""


class Worker(NamedTuple):
    """A Dask worker: its address, and a name of the machine for people."""

    address: str
    name: str


class Connection:
    """A client of a scheduler, where the cluster's own class may have started that."""

    def __init__(self, settings: Cluster) -> None:
        self._settings = settings
        self._client: Any = None
        self._cluster: Any = None
        self._indirect: dict[str, float] = {}

    async def open(self) -> None:
        """Reach the scheduler, and have each worker start its node. Raises `ClusterError`."""
        client_class, plugin = clusters.library()
        settings = self._settings
        try:
            security = certificates.security(settings)
            where: Any = settings.scheduler
            if not where:
                where = self._cluster = await clusters.started(settings)
            if isinstance(where, SshCluster):
                where, security = where.scheduler_address, where.security
            elif settings.scheduler:
                await probe(where, security)
            self._client = client_class(
                where,
                asynchronous=True,
                set_as_default=False,
                name="perles",
                timeout=CONNECT_SECONDS,
                **({"security": security} if security is not None else {}),
            )
            await self._client
            await self._client.register_plugin(plugin(clusters.node_settings(settings)))
        except ClusterError:
            raise
        except Exception as error:  # the library's own kinds are many: each is told
            what = settings.scheduler or f"the cluster of cluster.{settings.kind}"
            raise ClusterError(f"cannot reach {what}: {in_words(error)}") from error

    async def lost(self) -> None:
        """Return when the scheduler cannot be asked any more."""
        while self._client.status == "running":  # noqa: ASYNC110 - Dask tells nobody
            await asyncio.sleep(0.25)

    def problems(self) -> dict[str, str]:
        """By node, why its machine has no worker, where that is known."""
        return self._cluster.problems() if isinstance(self._cluster, SshCluster) else {}

    async def close(self) -> None:
        """Let go of the client, and end what was started, unless it is to stay."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        for one in (client, None if self._settings.keep else cluster):
            if one is None:
                continue
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await one.close()
            except (OSError, TimeoutError, RuntimeError):
                pass  # it is gone, or does not answer: nothing of it is used any more

    async def who(self, seconds: float) -> list[tuple[Worker, dict[str, Any], str]]:
        """What each worker tells of its node, and what is wrong with it. Raises `ClusterError`."""
        try:
            async with asyncio.timeout(seconds):
                info = await self._client.scheduler.identity(n_workers=-1)
                workers = [
                    Worker(address, str(one.get("host") or address))
                    for address, one in sorted(info["workers"].items())
                ]
                told = await asyncio.gather(*(self._who(one, seconds / 2) for one in workers))
        except (OSError, TimeoutError, RuntimeError) as error:
            raise ClusterError(f"cannot ask the scheduler: {in_line(error)}") from error
        return [(worker, *one) for worker, one in zip(workers, told, strict=True)]

    async def _who(self, worker: Worker, seconds: float) -> tuple[dict[str, Any], str]:
        try:
            told = await self._send(worker, seconds, {"op": "perles_node_who"})
        except ClusterError as error:
            return {}, str(error)
        if not isinstance(told, dict) or "name" not in told:
            return {}, f"its Dask worker has no Perles: {str(told)[:300]}"
        return told, str(told["problem"])

    async def ask(self, worker: Worker, data: bytes, seconds: float) -> bytes:
        """The answer of the node beside a worker. Raises `ClusterError` within `seconds`."""
        message = {"op": "perles_node", "data": sealed(data), "seconds": seconds}
        answer = await self._send(worker, seconds, message)
        if isinstance(answer, Sealed):
            return answer.data
        raise ClusterError(str(answer)[:300])

    async def _send(self, worker: Worker, seconds: float, message: dict[str, Any]) -> Any:
        """What a worker answers. The way by the scheduler is taken only where the direct one could
        not be: what was sent on that is not sent again."""
        ends = time.monotonic() + seconds
        try:
            if not self._is_indirect(worker):
                comm = await self._direct(worker)
                if comm is not None:
                    left = max(0.05, ends - time.monotonic())
                    return await self._exchange(worker, comm, left, message)
            async with asyncio.timeout(max(0.05, ends - time.monotonic())):
                return await self._by_scheduler(worker, message)
        except TimeoutError as error:
            raise ClusterError(f"{worker.address} did not answer in {seconds:g} s") from error
        except (OSError, RuntimeError, AttributeError) as error:
            raise ClusterError(f"{worker.address}: {in_line(error)}") from error

    def _is_indirect(self, worker: Worker) -> bool:
        return time.monotonic() < self._indirect.get(worker.address, 0.0)

    async def _direct(self, worker: Worker) -> Any:
        """A connection to a worker; None where there is no way from here."""
        try:
            async with asyncio.timeout(DIRECT_SECONDS):
                return await self._client.rpc.connect(worker.address)
        except (OSError, TimeoutError):
            self._indirect[worker.address] = time.monotonic() + BY_SCHEDULER_SECONDS
            return None

    async def _exchange(
        self, worker: Worker, comm: Any, seconds: float, message: dict[str, Any]
    ) -> Any:
        from distributed.core import send_recv

        try:
            async with asyncio.timeout(seconds):
                return await send_recv(comm=comm, **message)
        finally:
            self._client.rpc.reuse(worker.address, comm)

    async def _by_scheduler(self, worker: Worker, message: dict[str, Any]) -> Any:
        answers = await self._client.scheduler.broadcast(
            msg=message, workers=[worker.address], on_error="return_pickle"
        )
        answer = answers[worker.address]
        if isinstance(answer, bytes):
            raise OSError(in_line(pickle.loads(answer)))  # noqa: S301 - the scheduler's
        return answer
