"""Turns as processes of nodes: the executor's contract over whatever carries bytes to them."""

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from perles.executor.contract import Gone, Identity, Process, TurnFiles, TurnKey, Used
from perles.executor.local import termination
from perles.executor.remote import messages as m
from perles.executor.remote.errors import NodeError
from perles.executor.remote.link import Link, refs
from perles.executor.remote.links import Links
from perles.executor.remote.mirror import Mirror
from perles.executor.remote.process import ATTACHING, RemoteProcess

SIGNALLING: Final = 5.0
ASKING: Final = 10.0


class RemoteExecutor:
    """Turns as processes of nodes."""

    def __init__(self, links: Links, node: str = "") -> None:
        self._links, self._node = links, node
        self._judge: tuple[asyncio.AbstractEventLoop, Callable[[str], bool]] | None = None
        links.connected = self._connected

    def prepare(self) -> None:
        """Nothing is to be prepared."""

    def close(self) -> None:
        """Ask no node any more."""
        self._links.close()

    def process(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        *,
        text_only: bool,
        node: str | None = None,
    ) -> RemoteProcess:
        """The process of a turn on a node."""
        name = node or self._node
        return RemoteProcess(turn, files, identity, self._links, name, text_only=text_only)

    def signal(self, which: Sequence[Process], number: signal.Signals) -> int:
        """Have a signal sent to all that belongs to these turns, soon; how many turns those are."""
        for link, mirrors in _by_link(which).items():
            if number == signal.SIGKILL:
                for mirror in mirrors:
                    mirror.condemned = True
            self._links.post(link.spawn, self._signalled(link, mirrors, number))
        return len(which)

    async def _signalled(self, link: Link, mirrors: Sequence[Mirror], number: int) -> None:
        await link.ask(m.Signal(turns=refs(mirrors), number=number), seconds=SIGNALLING)

    async def remains(self, which: Sequence[Process]) -> bool:
        """Whether a process of these turns lives; lost turns do not count."""
        return any(await self._flags(which, lambda found: m.Remains(turns=refs(found))))

    async def end(
        self,
        which: Callable[[], Sequence[Process]],
        *,
        grace: float,
        gone: Gone | None = None,
    ) -> bool:
        """End turns with all that they started."""
        if gone is None:
            return all(
                await self._flags(which(), lambda found: m.End(turns=refs(found), grace=grace))
            )
        return await termination.end(
            lambda number: self.signal(which(), number), list, grace=grace, gone=gone
        )

    async def _flags(
        self, which: Sequence[Process], request: Callable[[Sequence[Mirror]], m.Request]
    ) -> list[bool]:
        async def ask(link: Link, mirrors: Sequence[Mirror]) -> bool:
            found = [mirror for mirror in mirrors if not mirror.is_lost]
            if not found:
                return isinstance(request(mirrors), m.End)
            answer = await link.ask(request(found), seconds=SIGNALLING)
            return isinstance(answer, m.Flag) and answer.value

        work = [self._links.wait(ask(*one)) for one in _by_link(which).items()]
        told = await asyncio.gather(*work, return_exceptions=True)
        for one in told:
            if isinstance(one, BaseException) and not isinstance(one, NodeError):
                raise one
        return [one for one in told if isinstance(one, bool)]

    async def end_workflow(self, workflow_id: str, *, grace: float) -> list[int]:
        """End all that carries the workflow's mark, on each node that had a turn of it.

        A node that is not reached ends it by itself when its lease is over.
        """
        links = [link for link in self._links.all() if workflow_id in link.workflows]
        return await self._pids(links, m.EndWorkflows(workflow_ids=[workflow_id], grace=grace))

    async def _pids(self, links: Sequence[Link], request: m.Request) -> list[int]:
        async def ask(link: Link) -> list[int]:
            try:
                answer = await link.ask(request)
            except NodeError:
                return []
            return answer.pids if isinstance(answer, m.Pids) else []

        found = await asyncio.gather(*(self._links.wait(ask(link)) for link in links))
        return [pid for pids in found for pid in pids]

    async def end_orphans(self, is_idle: Callable[[str], bool], *, grace: float) -> list[int]:
        """End what belongs to idle workflows: on nodes that are reached now, and later."""
        self._judge = (asyncio.get_running_loop(), is_idle)
        return await self._soon(
            lambda link: self._links.wait(self._swept(link, grace)), ATTACHING + grace
        )

    async def _soon(self, end: Callable[[Link], Awaitable[list[int]]], seconds: float) -> list[int]:
        """What `end` has ended on the nodes that are reached now: an engine waits for this."""

        async def ended(link: Link) -> list[int]:
            try:
                async with asyncio.timeout(seconds):
                    return await end(link)
            except (NodeError, TimeoutError):
                return []

        found = await asyncio.gather(*(ended(link) for link in self._links.all()))
        return [pid for pids in found for pid in pids]

    async def _connected(self, link: Link) -> None:
        if self._judge is not None:
            await self._swept(link, 0.0)

    async def _swept(self, link: Link, grace: float) -> list[int]:
        assert self._judge is not None
        loop, is_idle = self._judge
        names = await link.ask(m.Workflows())
        assert isinstance(names, m.Names)

        async def judged() -> list[str]:
            return [name for name in names.names if is_idle(name)]

        coming = asyncio.run_coroutine_threadsafe(judged(), loop)
        idle = await asyncio.wrap_future(coming)
        link.workflows.update(set(names.names).difference(idle))
        if not idle:
            return []
        ended = await link.ask(m.EndWorkflows(workflow_ids=idle, grace=grace, orphans=True))
        return ended.pids if isinstance(ended, m.Pids) else []

    async def run_aside(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        workflow_id: str,
        output: int | None,
        seconds: float,
        node: str | None = None,
        script: bytes | None = None,
    ) -> int | None:
        """Run a command on a node to its end. Raises `OSError`."""
        asked = m.RunAside(
            key=os.urandom(12).hex(),
            argv=list(argv),
            cwd=str(cwd),
            env=dict(env),
            workflow_id=workflow_id,
            seconds=seconds,
            script=script,
        )
        try:
            link = self._links.of(node or self._node)
            answer = await self._links.wait(link.ask(asked, seconds=seconds + ASKING))
        except NodeError as error:
            raise OSError(errno.EIO, str(error)) from error
        assert isinstance(answer, m.Ran)
        if output is not None:
            os.write(output, answer.output)
        return answer.code

    async def end_asides(self, is_ours: Callable[[str], bool]) -> list[int]:
        """End what another engine left of such commands, on nodes that are reached now."""

        async def ended(link: Link) -> list[int]:
            names = await self._links.wait(link.ask(m.Workflows()))
            assert isinstance(names, m.Names)
            ours = [name for name in names.names if is_ours(name)]
            return await self._pids([link], m.EndAsides(workflow_ids=ours))

        return await self._soon(ended, ATTACHING)

    def used(self, which: Sequence[Process]) -> dict[int, Used]:
        """What the turns have used; nothing where their node is not reached. It waits for them."""

        async def ask() -> dict[int, Used]:
            found: dict[int, Used] = {}
            for link, mirrors in _by_link(which).items():
                try:
                    told = await link.ask(m.Usage(turns=refs(mirrors)))
                except NodeError:
                    continue
                assert isinstance(told, m.UsageTold)
                found |= {id: Used(one.cpu, one.io, one.own) for id, one in told.used.items()}
            return found

        found = self._links.run(ask()).result(2 * ASKING)
        return {one.turn.turn_id: found.get(one.turn.turn_id, Used()) for one in which}


def _by_link(which: Sequence[Process]) -> dict[Link, list[Mirror]]:
    """The turns of each node."""
    found: dict[Link, list[Mirror]] = {}
    for one in which:
        assert isinstance(one, RemoteProcess)
        found.setdefault(one.link, []).append(one.mirror)
    return found
