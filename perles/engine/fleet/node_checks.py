"""Whether a node can do what turns will ask of it: its relay of tool calls, and shared folders.

A node is examined when it is heard first, and again now and then, beside the sweep: one that takes
its time holds up nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final

from perles.engine.context import Context, log
from perles.engine.remote_turns import AsksNodes
from perles.executor.remote.errors import NodeError
from perles.executor.remote.folders_part import RemoteFolders
from perles.executor.remote.part import Ask
from perles.executor.remote.relay_part import RemoteRelay
from perles.store.expressions import select
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.workspace.git import GitError

EVERY: Final = 30.0
"""Seconds between two looks at one node."""
PATIENCE: Final = 20.0
MOST_FOLDERS: Final = 3
"""Work dirs that are looked for on a node: those of the newest workflows that are open."""
_OPEN_FOLDERS: Final = Sql(
    select(Workflow.work_dir)
    .where(Workflow.state.in_(("pending", "running", "paused")))
    .order_by(Workflow.created_at.desc())
    .limit(50)
)


class Examiner:
    """Remembers what was found of each node. `clock` gives seconds that only grow."""

    def __init__(self, context: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._context, self._clock = context, clock
        self._found: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, float] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def problems(self, node: str) -> tuple[str, ...]:
        """What was found when it was looked at last."""
        return self._found.get(node, ())

    def look(self, there: Collection[str]) -> None:
        """Begin the checks that are due; forget nodes that left."""
        for gone in set(self._due) - set(there):
            self._due.pop(gone)
            self._found.pop(gone, None)
        executor, now = self._context.executor, self._clock()
        if not isinstance(executor, AsksNodes):
            return
        for name in there:
            if name not in self._looking and now >= self._due.get(name, now):
                self._due[name] = now + EVERY
                looking = asyncio.ensure_future(self._examine(name, executor.asker(name)))
                self._looking[name] = looking
                looking.add_done_callback(partial(self._ended, name))

    def _ended(self, name: str, _looking: asyncio.Task[None]) -> None:
        self._looking.pop(name, None)

    async def settle(self) -> None:
        """Wait for what has begun."""
        await asyncio.gather(*self._looking.values())

    async def stop(self) -> None:
        """Look at nothing any more."""
        for looking in self._looking.values():
            looking.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    async def _examine(self, name: str, ask: Ask) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                found = [*await _of_relay(ask), *await self._of_folders(ask)]
        except TimeoutError:
            found = [f"it does not tell within {PATIENCE:g}s whether it can serve turns"]
        except NodeError as error:
            log.info("node %s could not be examined: %s", name, error)
            return  # that it is not heard is told elsewhere
        self._found[name] = tuple(found)

    async def _of_folders(self, ask: Ask) -> list[str]:
        """The work dirs that it does not have as this machine has them, where it has to."""
        if self._context.config.cluster.workspace != "shared":
            return []
        found, far = [], RemoteFolders(ask)
        rows = self._context.reader.rows(_OPEN_FOLDERS)
        for folder in list(dict.fromkeys(str(row[0]) for row in rows))[:MOST_FOLDERS]:
            if not await asyncio.to_thread(Path(folder).is_dir):
                continue  # no fault of the node
            try:
                await far.need_shared(Path(folder))
            except GitError as error:
                found.append(f"workspace is shared, and {error}")
        return found


async def _of_relay(ask: Ask) -> list[str]:
    try:
        await RemoteRelay(ask).check()
    except NodeError as error:
        if error.kind == "failed":
            return [f"its relay of tool calls cannot be reached: {error}"]
        raise
    return []
