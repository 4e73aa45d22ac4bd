"""Which nodes there are: all are asked again and again, and their rows tell how each stands."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from perles.cluster.channel import NOT_YET, Found
from perles.domain.duration import span
from perles.domain.errors import ClusterError, DatabaseError
from perles.domain.node_words import is_node_name
from perles.domain.placement import FULL
from perles.engine.bulkhead import Troubles
from perles.engine.context import Context
from perles.engine.fleet import cluster_status, nodes
from perles.engine.fleet.lead_epoch import Leader, TellsWhoLeaves
from perles.engine.fleet.node_checks import Examiner
from perles.engine.fleet.nodes import LEFT, Heard
from perles.executor.background import Background
from perles.executor.remote.channel import Channel
from perles.executor.remote.errors import NodeError
from perles.executor.remote.link import ended_after
from perles.executor.remote.messages import Greeting, Hello
from perles.executor.remote.protocol import Call, checked
from perles.store.schema.nodes import Node
from perles.store.transaction import Tx
from perles.version import __version__

FIRST_PACE: Final = 0.5
PACE: Final = 5.0
PACE_OF_ONE: Final = 0.02
"""Seconds between two sweeps, while no node is there and later; what each node adds at least."""
AT_ONCE: Final = 50
MAX_SKEW: Final = 5.0
MOST_SLOTS: Final = 64
"""Slots a CPU that a node is believed where `max_workers` does not say how many it has."""
MOST_SLOTS_OF_ONE: Final = 1024
MOST_LABELS: Final = 50
MOST_TOLD: Final = 50
LEAST_DISK: Final = 256 * 1024 * 1024


class Reach(Channel, Protocol):
    """Carries calls to the nodes of a cluster, and finds them."""

    problem: str
    """Why the cluster cannot be reached, "" where it can."""

    async def look(self) -> list[Found]:
        """The nodes that there are now. Raises `ClusterError`."""


class Membership:
    """Keeps the rows of nodes true. `clock` gives seconds that only grow."""

    def __init__(
        self, context: Context, reach: Reach, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._context, self._reach, self._clock = context, reach, clock
        self._heard_at: dict[str, float] = {}
        self._troubles = Troubles()
        self._count = 0
        self._met: set[str] = set()
        self._stands = NOT_YET
        self._examiner = Examiner(context, clock)
        self._left: set[str] = set()
        self._parting = Background()

    async def run(self) -> None:
        """Until it is cancelled."""
        executor, loop = self._context.executor, asyncio.get_running_loop()
        if isinstance(executor, TellsWhoLeaves):
            executor.when_left(partial(_told, loop, self._leaves))
        try:
            while True:
                try:
                    await self.sweep()
                except DatabaseError as error:
                    self._troubles.tell("following the nodes", error)
                except Exception as error:  # noqa: BLE001 - the bulkhead: the next sweep comes
                    self._troubles.tell("following the nodes", error)
                await asyncio.sleep(self._pace())
        finally:
            await self._examiner.stop()

    def _leaves(self, name: str) -> None:
        """A node ends, and all agents there have ended: it gets no turn from this moment on."""
        if name not in self._left:
            self._left.add(name)
            self._parting.start(self._write_left(name))

    async def _write_left(self, name: str) -> None:
        try:
            await self._context.writer.write(lambda tx: nodes.gone(tx, name, LEFT))
        except DatabaseError as error:
            self._troubles.tell("following the nodes", error)
        self._context.kick()

    async def examined(self) -> None:
        """Wait until all nodes that are being examined are."""
        await self._examiner.settle()

    def _pace(self) -> float:
        if not self._count:
            return FIRST_PACE
        ttl = self._context.config.cluster.node_ttl
        return max(min(PACE, ttl / 3), self._count * PACE_OF_ONE)

    async def sweep(self) -> None:
        """Ask all nodes once, and write what changed."""
        self._left.clear()
        found, why = await self._look()
        await self._tell_standing("" if found is not None else why)
        found = found or []
        few = asyncio.Semaphore(AT_ONCE)
        told = await asyncio.gather(*(self._ask(one, few) for one in found))
        heard = {one.name: said for one, said in zip(found, told, strict=True)}
        self._count = sum(isinstance(said, Heard) for said in heard.values())
        now = self._clock()
        self._heard_at |= {name: now for name, said in heard.items() if isinstance(said, Heard)}
        known = [row for row in self._context.reader.all(Node, nodes.NODES) if row.state != "gone"]
        for row in known:
            self._heard_at.setdefault(row.id, now)
        silent = {row.id: str(heard.get(row.id, why)) for row in known if row.id not in heard}
        silent |= {name: said for name, said in heard.items() if isinstance(said, str)}
        there = [name for name, said in heard.items() if isinstance(said, Heard)]
        self._meet(there)
        self._examiner.look(there)
        if heard or silent:
            await self._context.writer.write(lambda tx: self._write(tx, heard, silent, now))
            self._context.kick()

    def _meet(self, names: list[str]) -> None:
        """Have the executor keep the leases of nodes that it has not met."""
        new = [name for name in names if name not in self._met]
        self._met.update(new)
        if new and isinstance(self._context.executor, Leader):
            self._context.executor.meet(new)

    async def _look(self) -> tuple[list[Found] | None, str]:
        """The nodes that workers tell of, None where none can be asked; why others are missing."""
        try:
            return await self._reach.look(), "no Dask worker is on its machine"
        except ClusterError as error:
            return None, self._reach.problem or str(error)

    async def _tell_standing(self, problem: str) -> None:
        """Write whether the cluster is reached, once that has changed."""
        if problem != self._stands:
            await self._context.writer.write(lambda tx: cluster_status.stands(tx, problem))
            self._stands = problem

    async def _ask(self, found: Found, few: asyncio.Semaphore) -> Heard | str:
        if not found.told:
            return found.problem or "its Dask worker does not answer"
        async with few:
            sent = time.time()
            try:
                call = Call(epoch=0, request=Hello())
                greeting = checked(await self._reach.call(found.name, call))
            except NodeError as error:
                return found.problem or str(error)
            received = time.time()
        if isinstance(greeting, Greeting) and greeting.leaves:
            return LEFT
        if not isinstance(greeting, Greeting):
            return f"its node answers what was not asked: {type(greeting).__name__}"
        if greeting.epoch > (self._context.database.epoch or greeting.epoch):
            return (
                f"it serves engine {greeting.epoch}, of another home or database: end the node "
                "there, and start one for this home in a folder of its own"
            )
        skew = greeting.wall - (sent + received) / 2
        # Half of the way there and back is what nobody can tell from a wrong clock.
        skew = 0.0 if abs(skew) <= (received - sent) / 2 else skew
        return self._heard(found, greeting, skew)

    def _heard(self, found: Found, told: Greeting, skew: float) -> Heard:
        labels = [label for label in told.labels if is_node_name(label)]
        return Heard(
            slots=self._slots(told),
            labels=tuple(labels[:MOST_LABELS]),
            host=str(found.told.get("host", "")),
            perles=told.perles[:MOST_TOLD],
            python=told.python[:MOST_TOLD],
            boot_id=told.boot_id,
            cpus=told.cpus,
            memory=told.memory_total,
            memory_free=told.memory,
            disk_free=told.disk,
            skew=round(skew, 1),
            problems=tuple(self._problems(found, told, skew)),
        )

    def _slots(self, told: Greeting) -> int:
        """The turns that it is given at once, whatever it says that it can take."""
        most = self._context.config.cluster.max_workers or MOST_SLOTS * max(1, told.cpus)
        return max(0, min(told.slots, most, MOST_SLOTS_OF_ONE))

    def _problems(self, found: Found, told: Greeting, skew: float) -> list[str]:
        problems = [found.problem] if found.problem else []
        if told.perles != __version__:
            problems.append(f"its Perles is {told.perles[:MOST_TOLD]}, this one is {__version__}")
        ours = platform.python_version_tuple()[:2]
        if tuple(told.python.split(".")[:2]) != ours:
            problems.append(
                f"its Python is {told.python[:MOST_TOLD]}, this one is {'.'.join(ours)}"
            )
        if abs(skew) > MAX_SKEW:
            where = "ahead of" if skew > 0 else "behind"
            problems.append(f"its clock is {span(abs(skew))} {where} this one")
        if not told.has_git and self._context.config.cluster.workspace == "git":
            problems.append("git is not installed there, and workspace is git")
        if told.disk < LEAST_DISK:
            problems.append(FULL)
        if told.slots != (slots := self._slots(told)):
            problems.append(f"it says that it has {told.slots} slots: it counts as {slots}")
        return [*problems, *self._examiner.problems(found.name)]

    def _write(
        self, tx: Tx, heard: dict[str, Heard | str], silent: dict[str, str], now: float
    ) -> None:
        for name, said in heard.items():
            if isinstance(said, Heard) and name not in self._left:
                nodes.heard(tx, name, said)
                nodes.tell_drained(tx, name)
        ttl = self._context.config.cluster.node_ttl
        for name, why in silent.items():
            if why == LEFT:
                nodes.gone(tx, name, why)
                continue
            nodes.lost(tx, name, why)
            quiet = now - self._heard_at.get(name, now)
            if quiet > ended_after(ttl):
                nodes.gone(tx, name, f"silent for {span(quiet)}: {why}")


def _told(loop: asyncio.AbstractEventLoop, call: Callable[[str], None], name: str) -> None:
    """Call in the engine's event loop, while it runs."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, name)
