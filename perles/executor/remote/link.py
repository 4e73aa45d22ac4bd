"""The engine's way to one node: its lease renewed, its turns followed, its absence judged.

One request waits at the node for news of all turns there; each renews the lease by the node's own
clock as that was last heard. Nothing that was sent can so renew it beyond what is counted on here,
however late it is delivered: `ttl` seconds after that clock was heard, and a margin, the node has
ended its agents, and their turns are lost.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final, NamedTuple

from perles.domain.clock import since_boot
from perles.executor.background import Background
from perles.executor.remote import messages as m
from perles.executor.remote.channel import Channel, deadline
from perles.executor.remote.errors import NodeError, StaleEpochError, UnreachableError
from perles.executor.remote.mirror import Mirror
from perles.executor.remote.protocol import Call, checked

log = logging.getLogger("perles.executor")

FIRST_PAUSE: Final = 0.05
LAST_PAUSE: Final = 1.0
"""Seconds between two tries to reach a node, at first and at last."""
GATHERING: Final = 0.02
"""Seconds in which turns that begin are gathered for one look, or the look before it ends."""
MARGIN: Final = 1.0
MARGIN_SHARE: Final = 0.1
"""Seconds, and share of the ttl, that are waited beyond it."""


class Law(NamedTuple):
    """How long a lease holds, in seconds, and whether turns are lost when it is over."""

    epoch: int
    ttl: float = 30.0
    repeats: bool = True


def ended_after(ttl: float) -> float:
    """Seconds of silence after which a node with this lease has ended its agents for certain."""
    return ttl + max(MARGIN, ttl * MARGIN_SHARE)


class Link:
    """One node. All is for the event loop of the links, but for `is_reachable`, `is_fenced` and
    `workflows`."""

    def __init__(self, name: str, channel: Channel, law: Law) -> None:
        self.name, self._channel, self._law = name, channel, law
        self.greeting: m.Greeting | None = None
        self.heard_at = since_boot()
        self.is_reachable = False
        self.has_left = False
        """Whether it told that all its agents have ended, and itself was to end."""
        self._node_clock, self._boot_id = 0.0, ""
        self._mirrors: dict[m.TurnRef, Mirror] = {}
        self._leaving: dict[m.TurnRef, bool] = {}
        self._is_parting = False
        self._refused: NodeError | None = None
        """Why the last goodbye to turns failed."""
        self._begun = asyncio.Event()
        """A turn is followed that the look which waits at the node does not ask for."""
        self.workflows: set[str] = set()
        """Those of which something may live there, also once their turns are over."""
        self._background = Background(_log_failure)
        self._problem = ""
        self.connected: Callable[[Link], Coroutine[Any, Any, None]] | None = None
        """Called whenever the node is reached after it was not."""
        self.left: Callable[[str], None] | None = None
        """Called with the name of a node that tells that it is about to end."""

    def begin(self) -> None:
        """Keep the lease, and follow the turns."""
        self.spawn(self._follow())
        self.spawn(self._judge())

    async def close(self) -> None:
        """Ask nothing any more; what runs on the node goes on."""
        await self._background.cancel()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something in the background; what it raises is logged."""
        self._background.start(work)

    @property
    def is_fenced(self) -> bool:
        """Whether no agent lives there for certain: nothing renewed its lease for so long.

        Or it told so, and was not heard since.
        """
        return self.has_left or since_boot() - self.heard_at > ended_after(self._law.ttl)

    def watch(self, mirror: Mirror) -> None:
        """Follow a turn from now on."""
        mirror.is_watched, mirror.is_repeated = True, self._law.repeats
        self.workflows.add(mirror.ref.workflow_id)
        self._mirrors[mirror.ref] = mirror
        self._begun.set()

    def leave(self, mirror: Mirror) -> None:
        """The engine has all of a turn: the node may forget it. A lost one is ended first."""
        self._mirrors.pop(mirror.ref, None)
        self._leaving[mirror.ref] = mirror.is_lost

    async def ask(self, request: m.Request, *, seconds: float = 0.0) -> m.Answer:
        """The node's answer; tried again for `seconds`. Raises `NodeError`."""
        until, pause = since_boot() + seconds, FIRST_PAUSE
        while True:
            try:
                if self.greeting is None:
                    await self._greet()
                return await self._asked(request)
            except UnreachableError:
                if since_boot() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    async def look(self, mirrors: Collection[Mirror], wait: float = 0.0) -> None:
        """Take what is new of these turns. Raises `NodeError`, `OSError`."""
        asked = {mirror.ref: mirror.seen() for mirror in mirrors}
        states = await self._asked(m.Poll(turns=list(asked.values()), wait=wait))
        assert isinstance(states, m.States)
        by_ref = {mirror.ref: mirror for mirror in mirrors}
        failed: OSError | None = None
        for state in states.turns:
            try:
                by_ref[state.turn].take(asked[state.turn], state)
            except OSError as error:  # of this turn's files: the others go on
                failed = failed or error
        self._note_leaving(states)
        if failed is not None:
            raise failed

    def _note_leaving(self, states: m.States) -> None:
        if states.boot_id == self._boot_id and states.clock < self._node_clock:
            return  # a node that was started since may have answered another question
        self.has_left = states.leaves
        if states.leaves and self.left is not None:
            self.left(self.name)

    async def _asked(self, request: m.Request) -> m.Answer:
        lease = self._node_clock + self._law.ttl if self._node_clock else 0.0
        call = Call(epoch=self._law.epoch, until=lease, boot_id=self._boot_id, request=request)
        patience = deadline(call)
        if isinstance(request, m.Poll | m.Renew):
            # Waiting longer than that for a dead connection loses the lease.
            patience = min(patience, request.wait if isinstance(request, m.Poll) else 0.0)
            patience += max(0.5, self._law.ttl / 4)
        try:
            async with asyncio.timeout(patience):
                answer = await self._channel.call(self.name, call)
        except TimeoutError as error:
            raise UnreachableError(self.name, f"no answer in {patience:.1f} s") from error
        self._heard(answer)
        return checked(answer)

    def _heard(self, answer: m.Answer) -> None:
        if isinstance(answer, m.Greeting | m.Renewed | m.States):
            if answer.boot_id != self._boot_id or answer.clock > self._node_clock:
                self._node_clock, self._boot_id = answer.clock, answer.boot_id
            self.heard_at = since_boot()

    async def _greet(self) -> None:
        answer = await self._asked(m.Hello())
        assert isinstance(answer, m.Greeting)
        # From here on the node refuses what an engine before this one sent.
        await self._asked(m.Renew())
        self.greeting, self.has_left = answer, answer.leaves

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                if self.greeting is None:
                    await self._greet()
                if not self.is_reachable:
                    await self._reached()
                await self._look_on()
                self._part()
                pause = FIRST_PAUSE
            except StaleEpochError as error:
                log.error("node %s: %s", self.name, error)
                self.is_reachable = False
                return
            except (NodeError, OSError) as error:
                if isinstance(error, UnreachableError):
                    self.is_reachable, self.greeting = False, None
                self._tell(str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)

    async def _look_on(self) -> None:
        """Take news of all turns. Raises `NodeError`, `OSError`.

        Returns also once a turn has begun meanwhile: what that prints would wait for this look to
        end. The look goes on beside the next one, and what it tells is taken.
        """
        self._begun.clear()
        mirrors = list(self._mirrors.values())
        looking = asyncio.ensure_future(self.look(mirrors, wait=self._law.ttl / 6))
        beginning = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait((looking, beginning), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((looking,), timeout=GATHERING)
        except asyncio.CancelledError:
            looking.cancel()
            raise
        finally:
            beginning.cancel()
        if looking.done():
            looking.result()
        else:
            self.spawn(_waited(looking))

    def _part(self) -> None:
        """Say goodbye beside the next look: turns that live need not wait for that.

        Raises `NodeError` where the goodbye before it failed.
        """
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused
        if self._leaving and not self._is_parting:
            self._is_parting = True
            self.spawn(self._parted())

    async def _parted(self) -> None:
        try:
            await self._say_goodbye()
        except NodeError as error:
            self._refused = error
        finally:
            self._is_parting = False

    async def _reached(self) -> None:
        self.is_reachable, self._refused = True, None
        self._tell("")
        if self.connected is not None:
            await self.connected(self)

    async def _say_goodbye(self) -> None:
        """Let the node forget turns, and end those first that were lost."""
        leaving = dict(self._leaving)
        lost = [ref for ref, is_lost in leaving.items() if is_lost]
        if lost:
            await self._asked(m.End(turns=lost, grace=0.0))
        await self._asked(m.Forget(turns=list(leaving)))
        for ref in leaving:
            self._leaving.pop(ref, None)

    async def _judge(self) -> None:
        """Call turns lost that the node has ended for certain."""
        while True:
            await asyncio.sleep(min(1.0, self._law.ttl / 10))
            if not self.is_fenced or (self.has_left and self.is_reachable):
                continue
            for mirror in list(self._mirrors.values()):
                is_given_up = self._law.repeats or mirror.condemned or self.has_left
                if not mirror.is_over and is_given_up:
                    log.warning("node %s is not heard of: turn %s is lost", self.name, mirror.ref)
                    mirror.end(lost=True, parted=self.has_left)

    def _tell(self, problem: str) -> None:
        if problem and not self._problem:
            log.warning("node %s: %s", self.name, problem)
        elif self._problem and not problem:
            log.info("node %s is reached again", self.name)
        self._problem = problem


async def _waited(looking: asyncio.Future[None]) -> None:
    await looking


def refs(mirrors: Iterable[Mirror]) -> list[m.TurnRef]:
    """Which turns."""
    return [mirror.ref for mirror in mirrors]


def _log_failure(error: BaseException) -> None:
    if isinstance(error, NodeError):
        log.warning("a node could not be asked: %s", error)
    else:
        log.error("the way to a node failed", exc_info=error)
