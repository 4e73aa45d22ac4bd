"""What a node does with each request: by its kind, once its epoch and its lease are looked at."""

import asyncio
import logging
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.clock import since_boot
from perles.domain.marks import ASIDE
from perles.executor.local import processes
from perles.executor.local.executor import LocalExecutor
from perles.executor.local.identity import boot_id
from perles.executor.remote import messages as m
from perles.executor.remote.errors import NodeError, NodeSpawnError
from perles.executor.remote.part import PartHandler
from perles.executor.remote.protocol import VERSION, Call
from perles.node.asides import Asides
from perles.node.lease import Lease
from perles.node.parting import Parting
from perles.node.turns import Turns
from perles.version import __version__

log = logging.getLogger("perles.node")

TICK: Final = 0.04
"""Seconds between two looks at the output of live turns, while somebody waits for news of them."""
PACE_OF_ONE: Final = 0.002
"""Seconds that each live turn adds between two answers that tell of output and nothing else."""
MAX_WAIT: Final = 60.0
MAX_LEASE: Final = 86_400.0
FENCING: Final = 10.0
"""Seconds within which all agents have to be gone before a lease that was over is renewed."""
LEAVING: Final = 5.0
"""Seconds for the engine to hear that this node ends, and how its turns have ended."""
ENDS: Final = "this node is about to end"


class About(NamedTuple):
    """What the node was started as."""

    name: str
    folder: Path
    slots: int
    labels: Sequence[str]


class Service:
    """Answers calls, in the node's event loop."""

    def __init__(self, about: About) -> None:
        self.about, self.executor = about, LocalExecutor()
        self.lease = Lease(about.folder)
        self.turns = Turns(about.folder, self.executor, self.lease)
        self.turns.wake = self._wake
        self.parts: dict[str, PartHandler] = {}
        self._asides = Asides(self.executor, self.turns.root)
        self._news = asyncio.Event()
        self._told_at = -math.inf
        self._fencing = asyncio.Lock()
        self._parting: Parting | None = None
        self._has_parted = False
        self.found = asyncio.Event()
        """Set once an engine has asked for the first time."""

    async def answer(self, call: Call) -> m.Answer:
        """The answer to a call, which may be a refusal."""
        if call.version != VERSION:
            return m.Refused(
                kind="version",
                message=f"cannot serve version {call.version}: this node (perles {__version__}) "
                f"speaks {VERSION}; install the same perles everywhere",
            )
        self.found.set()
        if isinstance(call.request, m.Hello):
            return self.greeting()
        try:
            await self._renew(call)
            return await self._done(call.request)
        except NodeSpawnError as error:
            return m.Refused(kind="spawn", message=str(error), number=error.code)
        except NodeError as error:
            return m.Refused(kind=_kind(error.kind), message=str(error))
        except (OSError, ValueError) as error:
            return m.Refused(kind="failed", message=f"cannot do that: {error}")

    def greeting(self) -> m.Greeting:
        """The node about itself."""
        folder, held = self.about.folder, self.lease.held
        disk, memory = os.statvfs(folder), _memory()
        return m.Greeting(
            name=self.about.name,
            version=VERSION,
            perles=__version__,
            python=".".join(map(str, sys.version_info[:3])),
            boot_id=boot_id(),
            clock=since_boot(),
            wall=time.time(),
            slots=self.about.slots,
            labels=list(self.about.labels),
            cpus=os.cpu_count() or 1,
            memory_total=memory["MemTotal"],
            memory=memory["MemAvailable"],
            disk=disk.f_bavail * disk.f_frsize,
            root=str(self.turns.root),
            epoch=held.epoch,
            lease=held.until - since_boot() if held.until else 0.0,
            has_git=shutil.which("git") is not None,
            turns=len(self.turns),
            pid=os.getpid(),
            leaves=self._has_parted,
        )

    async def leave(self, hurry: asyncio.Event) -> bool:
        """Start nothing any more, end all agents and checks, and tell the engine that leads.

        False where it does not know yet: after `LEAVING`, or when one is in a `hurry`. Raises
        `NodeError` where agents stay.
        """
        parting = self._parting = Parting(turn.record.turn for turn in self.turns.live())
        await self._fence(parts=True)
        await self._asides.end("fenced", ENDS)
        self._has_parted = True
        self._wake()
        if self.lease.is_over():
            return True  # no engine counts on this node
        deadline = since_boot() + LEAVING
        while not parting.is_over():
            if since_boot() > deadline or hurry.is_set():
                return False
            await asyncio.sleep(TICK)
        return True

    async def guard_lease(self) -> None:
        """End the agents whenever the lease is over; for as long as the node lives."""
        while True:
            left = self.lease.held.until - since_boot()
            if left > 0:
                await asyncio.sleep(min(left, 1.0))
            elif self.turns.live():
                await self._fence()
                await asyncio.sleep(TICK)  # that they have ended is told by the event loop
            else:
                await asyncio.sleep(1.0)

    async def _fence(self, *, parts: bool = False) -> None:
        """End all agents; return once none is left. Raises `NodeError` where some stay."""
        deadline = since_boot() + FENCING
        while self.turns.fence(parts=parts):
            if since_boot() > deadline:
                raise NodeError("fenced", "cannot go on: agents of a lease that is over still live")
            await asyncio.sleep(0.01)

    async def _renew(self, call: Call) -> None:
        """Take the engine's epoch, and its lease: after one that was over no agent of it lives.

        Raises `NodeError` where another engine leads, also where this had to wait for that one.
        """
        async with self._fencing:
            held = self.lease.held
            if call.epoch < held.epoch:
                message = f"cannot serve engine {call.epoch}: engine {held.epoch} leads"
                raise NodeError("stale_epoch", message)
            if call.epoch > held.epoch:
                self.lease.renew(call.epoch, held.until)
                await self._asides.end("stale_epoch", "another engine leads")
            if not call.until or call.boot_id != boot_id() or call.until <= since_boot():
                return
            if held.until and self.lease.is_over():
                await self._fence()
            self.lease.renew(call.epoch, min(call.until, since_boot() + MAX_LEASE))

    async def _done(self, request: m.Request) -> m.Answer:
        turns, executor = self.turns, self.executor
        match request:
            case m.Renew():
                self._wake()
                return m.Renewed(clock=since_boot(), boot_id=boot_id())
            case m.Start():
                if self._parting is not None:
                    raise NodeError("fenced", f"cannot start a turn: {ENDS}")
                return turns.start(request)
            case m.Poll():
                return await self._poll(request)
            case m.Read():
                data, size = turns.read(
                    request.turn, request.name, request.offset, min(request.max, m.MAX_PIECE)
                )
                return m.Piece(data=data, size=size)
            case m.Forget():
                turns.forget(request.turns)
                return m.Done()
            case m.Signal():
                number = signal.Signals(request.number)
                return m.Count(number=executor.signal(turns.processes(request.turns), number))
            case m.Remains():
                return m.Flag(value=await executor.remains(turns.processes(request.turns)))
            case m.Usage():
                used = turns.used(request.turns).items()
                return m.UsageTold(used={id: m.Used(one.cpu, one.io, one.own) for id, one in used})
            case m.Workflows():
                return m.Names(names=_workflows())
            case m.Part():
                return m.PartTold(body=await self._part(request))
            case m.Hello():
                return self.greeting()
            case _:
                return await self._ended(request)

    async def _ended(self, request: m.End | m.EndWorkflows | m.RunAside | m.EndAsides) -> m.Answer:
        executor = self.executor
        match request:
            case m.End():
                which = self.turns.processes(request.turns)
                return m.Flag(value=await executor.end(lambda: which, grace=request.grace))
            case m.EndWorkflows(orphans=True):
                idle = set(request.workflow_ids)
                found = await executor.end_orphans(idle.__contains__, grace=request.grace)
                return m.Pids(pids=found)
            case m.EndWorkflows():
                ends: list[Awaitable[list[int]]] = [
                    executor.end_workflow(one, grace=request.grace) for one in request.workflow_ids
                ]
                return m.Pids(pids=[pid for left in await asyncio.gather(*ends) for pid in left])
            case m.RunAside():
                if self._parting is not None:
                    raise NodeError("fenced", f"cannot run {request.argv[0]}: {ENDS}")
                return await self._asides.run(request)
            case m.EndAsides():
                ours = set(request.workflow_ids)
                return m.Pids(pids=await executor.end_asides(ours.__contains__))

    async def _part(self, request: m.Part) -> bytes:
        part = self.parts.get(request.part)
        if part is None:
            raise NodeError("request", f"cannot serve {request.part}: this node has no such part")
        return await part.handle(request.op, request.body)

    async def _poll(self, request: m.Poll) -> m.Answer:
        """News of turns, as soon as there are any; of output alone not more often than pays."""
        turns, deadline = self.turns, since_boot() + min(request.wait, MAX_WAIT)
        if self._parting is not None:
            self._parting.asked(has_all=not self._is_new(request))
        while not self._is_due(request) and (left := deadline - since_boot()) > 0:
            live = len(turns.live())
            early = self._told_at + max(TICK, PACE_OF_ONE * live) - since_boot()
            if early <= 0 and turns.have_printed(request.turns):
                break
            look = TICK if live else MAX_WAIT
            if await self._woken(min(left, early if early > 0 else look)):
                break
        limit = min(request.limit, 8 * m.MAX_PIECE)
        found = turns.states(request.turns, limit)
        if found:
            self._told_at = since_boot()
        leaves = self._has_parted
        if self._parting is not None:
            self._parting.answered(found, leaves=leaves)
        return m.States(turns=found, clock=since_boot(), boot_id=boot_id(), leaves=leaves)

    def _is_due(self, request: m.Poll) -> bool:
        """Whether an answer must not wait: a turn has changed, or it is untold that this ends."""
        untold = self._has_parted and self._parting is not None and not self._parting.is_told
        return untold or self.turns.have_changed(request.turns)

    def _is_new(self, request: m.Poll) -> bool:
        """Whether there is anything to tell of these turns now."""
        return self.turns.have_changed(request.turns) or self.turns.have_printed(request.turns)

    async def _woken(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        """Something changed: who waits for news looks again."""
        self._news.set()
        self._news = asyncio.Event()


def _kind(kind: str) -> "m.Kind":
    return kind if kind in m.KINDS else "failed"  # type: ignore[return-value]


def _workflows() -> list[str]:
    """Whose processes live here, turns and commands beside them."""
    asides = (mark.decode(errors="replace") for _, mark in processes.with_variable(ASIDE))
    found = {mark.partition("/")[0] for mark in asides}
    return sorted(found | {one.workflow_id for one in processes.marked()})


def _memory() -> dict[str, int]:
    """Bytes, by the kernel's words for them."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1] == "kB"}
