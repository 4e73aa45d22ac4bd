"""Turns on this machine and on nodes: each is asked of whatever it runs on."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from perles.executor.contract import Executor, Gone, Identity, Process, TurnFiles, TurnKey, Used
from perles.executor.local import termination
from perles.executor.remote import messages as m
from perles.executor.remote.executor import RemoteExecutor
from perles.executor.remote.links import Links
from perles.executor.remote.part import Ask
from perles.executor.remote.process import RemoteProcess


class FleetExecutor:
    """The machine of the engine, and the nodes that `links` lead to."""

    def __init__(self, local: Executor, links: Links) -> None:
        self._local, self._links = local, links
        self._remote = RemoteExecutor(links)

    def lead(self, epoch: int) -> None:
        """The engine leads, by this number: no node is asked before."""
        self._links.lead(epoch)

    def meet(self, nodes: Sequence[str]) -> None:
        """There are these nodes: their leases are kept, and what they left is looked for."""
        for node in nodes:
            self._links.of(node)

    def when_left(self, call: Callable[[str], None]) -> None:
        """Have this called, from another thread, with the name of a node that is about to end."""
        self._links.when_left(call)

    def asker(self, node: str) -> Ask:
        """Asks the parts of a node, from any event loop."""
        link = self._links.of(node)

        async def ask(part: str, op: str, body: bytes, wait: float) -> bytes:
            request = m.Part(part=part, op=op, body=body, wait=wait)
            answer = await self._links.wait(link.ask(request))
            assert isinstance(answer, m.PartTold)
            return answer.body

        return ask

    def prepare(self) -> None:
        """Make this process fit to host turns."""
        self._local.prepare()

    def close(self) -> None:
        """Start nothing any more, and ask no node."""
        self._local.close()
        self._remote.close()

    def process(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        *,
        text_only: bool,
        node: str | None = None,
    ) -> Process:
        """The process of a turn, on its node; None is this machine."""
        where = self._local if node is None else self._remote
        return where.process(turn, files, identity, text_only=text_only, node=node)

    def signal(self, which: Sequence[Process], number: signal.Signals) -> int:
        """Send a signal to all that belongs to these turns."""
        here, there = _parted(which)
        return self._local.signal(here, number) + self._remote.signal(there, number)

    async def remains(self, which: Sequence[Process]) -> bool:
        """Whether anything of these turns lives."""
        here, there = _parted(which)
        return await self._local.remains(here) or await self._remote.remains(there)

    async def end(
        self,
        which: Callable[[], Sequence[Process]],
        *,
        grace: float,
        gone: Gone | None = None,
    ) -> bool:
        """End turns with all that they started."""
        if gone is not None:
            return await termination.end(
                lambda number: self.signal(which(), number), list, grace=grace, gone=gone
            )
        here = self._local.end(lambda: _parted(which())[0], grace=grace)
        there = self._remote.end(lambda: _parted(which())[1], grace=grace)
        return all(await asyncio.gather(here, there))

    async def end_workflow(self, workflow_id: str, *, grace: float) -> list[int]:
        """End all that any turn of a workflow started, anywhere."""
        here = self._local.end_workflow(workflow_id, grace=grace)
        there = self._remote.end_workflow(workflow_id, grace=grace)
        return [pid for left in await asyncio.gather(here, there) for pid in left]

    async def end_orphans(self, is_idle: Callable[[str], bool], *, grace: float) -> list[int]:
        """End what belongs to idle workflows; on a node once that is reached."""
        here = self._local.end_orphans(is_idle, grace=grace)
        there = self._remote.end_orphans(is_idle, grace=grace)
        return [pid for found in await asyncio.gather(here, there) for pid in found]

    async def run_aside(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        workflow_id: str,
        output: int | None,
        seconds: float,
    ) -> int | None:
        """Run a command that is no turn, on this machine."""
        return await self._local.run_aside(
            argv, cwd=cwd, env=env, workflow_id=workflow_id, output=output, seconds=seconds
        )

    async def run_on(
        self,
        node: str,
        argv: Sequence[str],
        script: bytes,
        *,
        cwd: Path,
        env: Mapping[str, str],
        workflow_id: str,
        output: int | None,
        seconds: float,
    ) -> int | None:
        """`run_aside` on a node, with a file that holds `script` as the last argument."""
        return await self._remote.run_aside(
            argv,
            cwd=cwd,
            env=env,
            workflow_id=workflow_id,
            output=output,
            seconds=seconds,
            node=node,
            script=script,
        )

    async def end_asides(self, is_ours: Callable[[str], bool]) -> list[int]:
        """End what another engine left of such commands, here and on nodes that are reached."""
        here, there = self._local.end_asides(is_ours), self._remote.end_asides(is_ours)
        return [pid for found in await asyncio.gather(here, there) for pid in found]

    def used(self, which: Sequence[Process]) -> dict[int, Used]:
        """What turns have used so far."""
        here, there = _parted(which)
        found = self._local.used(here) if here else {}
        return found | (self._remote.used(there) if there else {})


def _parted(which: Sequence[Process]) -> tuple[list[Process], list[Process]]:
    """Those of this machine, and those of nodes."""
    there: list[Process] = [one for one in which if isinstance(one, RemoteProcess)]
    return [one for one in which if not isinstance(one, RemoteProcess)], there
