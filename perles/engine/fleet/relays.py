"""Tool calls from nodes: each node that there is has a pump, and what is over is cleared away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from perles.domain.errors import DatabaseError
from perles.domain.states import LIVE_TURNS, NodeState
from perles.engine.bulkhead import Troubles
from perles.engine.context import Context, log
from perles.engine.fleet.nodes import NODES
from perles.executor.remote.errors import NodeError
from perles.executor.remote.folders_part import RemoteFolders
from perles.executor.remote.part import Ask
from perles.executor.remote.records_part import RemoteRecords
from perles.executor.remote.relay_part import RemoteRelay
from perles.mcp.relayed import OnRefused, Pump, Serve
from perles.store import statements
from perles.store.schema.agents import Turn
from perles.store.schema.nodes import Node
from perles.store.schema.workflows import Workflow
from perles.workspace.git import GitError

LOOK_SECONDS: Final = 1.0
CLEAR_SECONDS: Final = 60.0
ENDED: Final = frozenset({"completed", "failed", "stopped"})


class Relays:
    """Follows which nodes there are. `ask` gives the way to one.

    `clear` removes what a node has of a workflow: raises `GitError`, `NodeError`.
    """

    def __init__(
        self,
        context: Context,
        ask: Callable[[str], Ask],
        serve: Serve,
        on_refused: OnRefused,
        clear: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._context, self._ask, self._clear_folder = context, ask, clear
        self._serve, self._on_refused = serve, on_refused
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._clearing: dict[str, asyncio.Task[None]] = {}
        self._troubles = Troubles()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the nodes."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Fetch no calls any more: what is not answered is the next engine's."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                try:
                    self._look()
                except DatabaseError as error:
                    log.warning("cannot see which nodes there are: %s", error)
                except Exception as error:  # noqa: BLE001 - the bulkhead: the next look comes
                    self._troubles.tell("following the calls of nodes", error)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            tasks = [*self._pumps.values(), *self._clearing.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> None:
        nodes = self._context.reader.all(Node, NODES)
        there = {node.id for node in nodes if node.state != NodeState.GONE}
        for name, pumping in list(self._pumps.items()):
            if pumping.done():  # it raised what nobody expected: the calls go on all the same
                self._tell_trouble(name, pumping)
                self._let_go(name)
        for name in there - set(self._pumps):
            relay = RemoteRelay(self._ask(name))
            pump = Pump(relay, self._serve, self._on_refused, failures=(NodeError,))
            self._pumps[name] = asyncio.ensure_future(pump.run())
            self._clearing[name] = asyncio.ensure_future(self._clear_up(name))
        for name in set(self._pumps) - there:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        self._pumps.pop(name).cancel()
        self._clearing.pop(name).cancel()

    def _tell_trouble(self, name: str, ended: asyncio.Task[None]) -> None:
        error = None if ended.cancelled() else ended.exception()
        if isinstance(error, Exception):
            self._troubles.tell(f"fetching the calls of node {name}", error)

    async def _clear_up(self, node: str) -> None:
        """Remove what a node keeps of workflows that are over, now and then."""
        while True:
            try:
                await self.clear(node)
            except (NodeError, GitError, DatabaseError) as error:
                log.debug("node %s is cleared later: %s", node, error)
            except Exception as error:  # noqa: BLE001 - the bulkhead: it is tried again
                self._troubles.tell(f"clearing node {node}", error)
            await asyncio.sleep(CLEAR_SECONDS)

    async def clear(self, node: str) -> None:
        """Close ports, remove folders and records of workflows that are over.

        Raises `NodeError`, `GitError`.
        """
        relay, folders = RemoteRelay(self._ask(node)), RemoteFolders(self._ask(node))
        for workflow_id in await relay.all():
            if self._is_over(workflow_id):
                await relay.close(workflow_id)
        for workflow_id in await folders.all():
            if self._is_over(workflow_id):
                await self._clear_folder(workflow_id, node)
        records = RemoteRecords(self._ask(node))
        for workflow_id in await records.all():
            if self._is_over(workflow_id):
                await records.forget(workflow_id)

    def _is_over(self, workflow_id: str) -> bool:
        """Whether it has ended, and nothing of it is on its way any more."""
        reader = self._context.reader
        workflow = reader.get(Workflow, workflow_id)
        if workflow is None:
            return True
        if workflow.state not in ENDED:
            return False
        open_turns = reader.all(Turn, statements.OPEN_TURNS)
        return not any(
            turn.workflow_id == workflow_id and turn.status in LIVE_TURNS for turn in open_turns
        )
