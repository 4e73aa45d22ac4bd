"""Calls to nodes through Dask: from the engine to a worker on the node's machine, and to its node.

A call is sent to the worker's own address, or by way of the scheduler where that cannot be reached
from here. It is sent once: Dask neither queues it as a task nor repeats it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, TypeVar

from perles.cluster.connection import Connection, Worker
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError
from perles.executor.remote.channel import deadline
from perles.executor.remote.errors import UnreachableError
from perles.executor.remote.messages import Answer
from perles.executor.remote.protocol import Call, decode_answer, encode

log = logging.getLogger("perles.engine")
T = TypeVar("T")
NOT_YET: Final = "the cluster is not reached yet"
"""What is wrong until the first try to reach the cluster has come to an end."""
AGAIN_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Between tries to reach the scheduler: the last one goes on."""
LOOK_SECONDS: Final = 20.0
"""How long the workers may take to say which nodes they have."""


class Found(NamedTuple):
    """A node that workers have found: by its name, or by an address where nobody could tell one."""

    name: str
    workers: tuple[Worker, ...]
    told: dict[str, Any]
    problem: str = ""


class DaskChannel:
    """Carries calls to the nodes of a cluster. Its thread has a loop of its own, so that what holds
    up Dask holds up nobody else; it may be used from any event loop."""

    def __init__(self, settings: Cluster) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="perles-cluster", daemon=True)
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._found: dict[str, Found] = {}
        self._bad: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._closing = False
        self.problem = NOT_YET
        """Why the scheduler cannot be asked, "" where it can."""

    def start(self) -> None:
        """Begin to reach the cluster, and go on trying."""
        self._thread.start()

    async def call(self, node: str, call: Call) -> Answer:
        """The answer of a node. Raises `UnreachableError` within `deadline(call)` seconds."""
        data, seconds = encode(call), deadline(call)
        return decode_answer(await self._there(self._call(node, data, seconds)))

    async def look(self) -> list[Found]:
        """The nodes of the cluster, asked of all workers now. Raises `ClusterError`."""
        return await self._there(self._look())

    async def close(self) -> None:
        """Let go of the cluster, and end it where Perles started it and it is not to stay."""
        if self._closing or not self._thread.is_alive():
            return
        self._closing = True
        await self._there(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 10.0)

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop of the thread."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._keeper = self._loop.create_task(self._keep())
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _keep(self) -> None:
        """Have a connection for as long as this lives; a lost one is made anew."""
        tries = 0
        while not self._closing:
            connection = Connection(self._settings)
            try:
                await self._open(connection)
            except ClusterError as error:
                self._tell(str(error))
                await asyncio.sleep(AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)])
                tries += 1
                continue
            self._connection, tries = connection, 0
            self._tell("")
            try:
                await connection.lost()
            finally:
                self._connection = None
                await connection.close()
            self._tell("the connection to the Dask scheduler was lost")

    async def _open(self, connection: Connection) -> None:
        """Open it, and let go of what was begun of it where it is not. Raises `ClusterError`."""
        try:
            await connection.open()
        except BaseException:
            await connection.close()
            raise

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            log.log(logging.WARNING if problem else logging.INFO, problem or "reached the cluster")
        self.problem = problem

    def _need(self, node: str) -> Connection:
        if self._connection is None:
            raise UnreachableError(node, self.problem)
        return self._connection

    async def _call(self, node: str, data: bytes, seconds: float) -> bytes:
        ends = time.monotonic() + seconds
        connection = self._need(node)
        if node not in self._found:
            try:
                async with asyncio.timeout_at(self._loop.time() + seconds):
                    await self._look()
            except (ClusterError, TimeoutError) as error:
                raise UnreachableError(node, str(error)) from error
        worker = self._worker_of(node)
        if worker is None:
            found = self._found.get(node)
            why = found.problem if found is not None else "no Dask worker is on its machine"
            raise UnreachableError(node, why)
        try:
            return await connection.ask(worker, data, max(0.1, ends - time.monotonic()))
        except ClusterError as error:
            self._bad[worker.address] = time.monotonic()
            raise UnreachableError(node, str(error)) from error

    def _worker_of(self, node: str) -> Worker | None:
        """The worker to ask: one that answered last, or whose failure is longest ago."""
        found = self._found.get(node)
        if found is None or not found.workers:
            return None
        return min(found.workers, key=lambda one: self._bad.get(one.address, 0.0))

    async def _look(self) -> list[Found]:
        connection = self._connection
        if connection is None:
            raise ClusterError(f"cannot look for nodes: {self.problem}")
        nodes: dict[str, Found] = {}
        for worker, told, problem in await connection.who(LOOK_SECONDS):
            name = str(told.get("name") or self._names.get(worker.address) or worker.name)
            self._names[worker.address] = name
            before = nodes.get(name)
            if (
                before is not None
                and told
                and before.told.get("folder")
                not in (
                    None,
                    told["folder"],
                )
            ):
                problem = f"two machines are called {name}: {worker.address} is left out"
                nodes[name] = before._replace(problem=problem)
                continue
            workers = (*(before.workers if before else ()), worker)
            first = before if before is not None and before.told else Found(name, (), told, problem)
            nodes[name] = first._replace(workers=workers)
        for name, problem in connection.problems().items():
            nodes.setdefault(name, Found(name, (), {}, problem))
        self._found = nodes
        known = {worker.address for found in nodes.values() for worker in found.workers}
        self._bad = {address: at for address, at in self._bad.items() if address in known}
        self._names = {address: name for address, name in self._names.items() if address in known}
        return list(nodes.values())

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
