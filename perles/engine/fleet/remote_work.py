"""The work of turns on nodes: their folders, the tools that they call, and what they leave.

Before a turn begins its node has the workflow's folder as it is here; before a call that looks at
files, and at the end of the turn, what was done there is here. Where the machines share a file
system that is seen to, and no more.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.agents.clis.json_lines import REPORT
from perles.agents.provider import Outcome
from perles.domain.errors import PerlesError, ToolError
from perles.domain.quoting import in_line
from perles.domain.states import LIVE_TURNS, NodeState
from perles.engine.commands import evidence
from perles.engine.commands.file_lookups import ATTACH
from perles.engine.context import Context, log
from perles.engine.fleet import nodes
from perles.engine.remote_turns import Elsewhere
from perles.engine.turns.outcome import LOST, NODE_ENDED
from perles.executor.contract import SpawnError
from perles.executor.remote.errors import NodeError
from perles.executor.remote.folders_part import RemoteFolders
from perles.executor.remote.listening_part import RemoteListening
from perles.executor.remote.part import Ask
from perles.executor.remote.relay_part import RemoteRelay
from perles.fabric import messages
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.nodes import Node
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import products, services
from perles.tasks.stored_execution import execution_of
from perles.workspace.commits import in_repository
from perles.workspace.git import GitError, git, told
from perles.workspace.replica import sync
from perles.workspace.replica.parcels import Parcels
from perles.workspace.replica.snapshot import DiskFullError, ReplicaError
from perles.workspace.replica.sync import Shared
from perles.workspace.worktree import named

PROBED_SECONDS: Final = 60.0
"""How long a folder counts as shared that was seen to be."""
PAUSE: Final = 0.5
MAX_OUTPUTS: Final = 256 * 1024 * 1024
"""Bytes of files that git ignores and a task must make."""
ABOUT_FILES: Final = (evidence.ABOUT_WORK - {evidence.ASSIGN}) | {ATTACH, REPORT}
"""The calls for which the caller's own work has to be here."""


class _Job(NamedTuple):
    """A turn on a node, with what is to come back from it."""

    turn: Turn
    agent: Agent
    workflow: Workflow
    node: str
    task: Task | None


class RemoteWorks:
    """Implements `RemoteWork`. `ask` gives the way to a node."""

    def __init__(self, context: Context, ask: Callable[[str], Ask]) -> None:
        self._context, self._ask = context, ask
        self._parcels = Parcels(context.paths.root / "parcels")
        self._lanes: dict[str, asyncio.Lock] = {}
        self._probed: dict[tuple[str, str], float] = {}

    async def prepare(self, turn: Turn, agent: Agent, workflow: Workflow) -> Elsewhere:
        """See that the agent's node has all that its turn needs. Raises `PerlesError`."""
        node = agent.node
        assert node is not None
        far = RemoteFolders(self._ask(node))
        try:
            async with self._lane(workflow.id):
                if self._by_git:
                    work_dir = await self._send(turn, workflow, node, far)
                else:
                    work_dir = Path(workflow.work_dir)
                    await self._need_shared(node, work_dir, far)
            await self._need_port(agent, node)
            folder = await far.agent_folder(workflow.id, agent.name)
            port = await RemoteRelay(self._ask(node)).open(workflow.id)
        except DiskFullError as error:
            full = OSError(errno.ENOSPC, str(error))  # there may be room later, or elsewhere
            raise SpawnError(f"cannot start on node {node}: {error}") from full
        except GitError as error:
            raise PerlesError(f"cannot start on node {node}: {told(error)}") from error
        return Elsewhere(node, work_dir, Path(folder), f"http://127.0.0.1:{port}/mcp")

    async def _need_port(self, agent: Agent, node: str) -> None:
        """See that nobody has the port of a service there: it would be taken for the service."""
        task = None if agent.task_id is None else self._context.reader.get(Task, agent.task_id)
        ready = None if task is None else services.ready_of(task)
        port = None if ready is None else ready.local_port()
        if port is None:
            return
        holder = await RemoteListening(self._ask(node)).holder(port)
        if holder is not None:
            where = f"port {port} of node {node} is held by {holder}"
            raise PerlesError(f"{where} before it was started; end that first")

    async def bring(self, turn_id: int) -> Outcome | None:
        """Bring what a turn left; a node that is not heard is waited for until its lease is over.

        One that has gone is not waited for.
        How the turn has to end where nothing can be brought, else None.
        """
        job = self._job(turn_id)
        if job is None or not self._by_git:
            return None
        deadline = time.monotonic() + self._context.config.cluster.node_ttl
        while True:
            try:
                await self._bring(job)
                shared, _ = await self._shared(job.workflow, job.node)
                await asyncio.to_thread(sync.settle, shared, turn_id)
                return None
            except NodeError as error:
                log.info("what %s did is not here yet: %s", job.agent.name, error)
                if (gone := self._gone(job.node)) is not None:
                    return gone
                if time.monotonic() > deadline:
                    return LOST
                await asyncio.sleep(PAUSE)
            except (GitError, OSError) as error:
                text = f"cannot bring its work from node {job.node}: {error}"
                return Outcome(False, "crashed", text)

    def _gone(self, node: str) -> Outcome | None:
        """How a turn has ended whose node is known to have gone; None where it may answer yet."""
        row = self._context.reader.get(Node, node)
        if row is None or row.state != NodeState.GONE:
            return None
        return NODE_ENDED if nodes.was_ended(row) else LOST

    async def before_call(self, caller: Caller, kind: str) -> None:
        """Bring what there is by now where the call is about files. Raises `ToolError`."""
        if kind not in ABOUT_FILES or caller.turn_id is None or not self._by_git:
            return
        job = self._job(caller.turn_id)
        if job is None:
            return
        try:
            await self._bring(job)
        except (GitError, OSError, NodeError) as error:
            raise ToolError(
                f"cannot {kind} now: your work is not here: {in_line(str(error))}; try again"
            ) from error

    async def folder_of(self, task: Task) -> tuple[str, Path] | None:
        """Where a task was worked on; None for this machine, or where that cannot be asked."""
        reader = self._context.reader
        agent = None if task.implementer_id is None else reader.get(Agent, task.implementer_id)
        if agent is None or agent.node is None:
            return None
        node = reader.get(Node, agent.node)
        if node is None or node.state not in (NodeState.READY, NodeState.DRAINING):
            return None
        workflow = reader.need(Workflow, task.workflow_id)
        if not self._by_git:
            return agent.node, Path(workflow.work_dir)
        far = RemoteFolders(self._ask(agent.node))
        try:
            if not await far.has(workflow.id):
                return None
            there = Path(await far.where(workflow.id))
            _, below = await self._shared(workflow, agent.node)
        except (GitError, NodeError) as error:
            log.info("node %s cannot be asked for %s: %s", agent.node, task.key, error)
            return None
        return agent.node, there / below

    async def clear(self, workflow_id: str, node: str) -> None:
        """Remove the folder of a workflow that is over from a node.

        What turns did there that were given up is kept here before. Raises `GitError`, `NodeError`.
        """
        far = RemoteFolders(self._ask(node))
        workflow = self._context.reader.get(Workflow, workflow_id)
        async with self._lane(workflow_id):
            if workflow is not None and self._by_git and await far.has(workflow_id):
                shared, _ = await self._shared(workflow, node)
                await self._put_aside(shared, far)
                await asyncio.to_thread(sync.forget, shared)
            await far.forget(workflow_id)
        self._lanes.pop(workflow_id, None)

    async def here(self, caller: Caller, path: str) -> str:
        """Where a file is here that the caller names by its path on its node.

        Raises `ToolError` where the node cannot be asked.
        """
        job = None if caller.turn_id is None or not self._by_git else self._job(caller.turn_id)
        if job is None or not path.startswith("/"):
            return path
        try:
            there = Path(await RemoteFolders(self._ask(job.node)).where(job.workflow.id))
            shared, _ = await self._shared(job.workflow, job.node)
        except (GitError, NodeError) as error:
            raise ToolError(f"cannot find {path} now: {in_line(str(error))}; try again") from error
        given = Path(path)
        inside = given.is_relative_to(there)
        return str(shared.folder / given.relative_to(there)) if inside else path

    @property
    def _by_git(self) -> bool:
        return self._context.config.cluster.workspace == "git"

    def _lane(self, workflow_id: str) -> asyncio.Lock:
        """One move of a workflow's folder at a time."""
        return self._lanes.setdefault(workflow_id, asyncio.Lock())

    def _job(self, turn_id: int) -> _Job | None:
        reader = self._context.reader
        turn = reader.get(Turn, turn_id)
        agent = None if turn is None else reader.need(Agent, turn.agent_id)
        if turn is None or agent is None or agent.node is None:
            return None
        task = None if agent.task_id is None else reader.get(Task, agent.task_id)
        return _Job(turn, agent, reader.need(Workflow, turn.workflow_id), agent.node, task)

    async def _send(self, turn: Turn, workflow: Workflow, node: str, far: RemoteFolders) -> Path:
        shared, below = await self._shared(workflow, node)
        await self._put_aside(shared, far)
        await asyncio.to_thread(sync.owe, shared, turn.id)
        place = await sync.send(shared, far, self._parcels)
        if place.conflicts:
            await self._tell_conflict(workflow.id, None, node, "", place.conflicts)
        return Path(place.path) / below

    async def _put_aside(self, shared: Shared, far: RemoteFolders) -> None:
        """What turns did there that were given up: it lands on refs of theirs, and nowhere else."""
        reader = self._context.reader
        left = await asyncio.to_thread(sync.owed, shared)
        turns = [turn for id in left if (turn := reader.get(Turn, id)) is not None]
        if not turns or any(turn.status in LIVE_TURNS for turn in turns):
            return  # nothing was given up, or the folder is in use
        if await far.has(shared.workflow_id):
            for late in turns:
                agent = reader.need(Agent, late.agent_id)
                how: dict[str, Any] = {"task": agent.name, "turn_id": late.id, "counts": False}
                found = await sync.bring(shared, far, self._parcels, **how)
                await self._tell(late, "work.late", {"node": shared.node, "ref": found.ref})
            await far.forget(shared.workflow_id)
        for late in turns:
            await asyncio.to_thread(sync.settle, shared, late.id)

    async def _bring(self, job: _Job) -> None:
        """Bring it as it is now. Raises `GitError`, `OSError`, `NodeError`."""
        far = RemoteFolders(self._ask(job.node))
        key = job.agent.name if job.task is None else job.task.key
        async with self._lane(job.workflow.id):
            shared, below = await self._shared(job.workflow, job.node)
            how: dict[str, Any] = {"task": key, "turn_id": job.turn.id}
            found = await sync.bring(shared, far, self._parcels, **how)
            if job.task is not None and not found.conflicts:
                for patterns, most in _wanted(job.task, below):
                    bounds: dict[str, Any] = {"patterns": patterns, "most": most}
                    await sync.bring_ignored(shared, far, self._parcels, **bounds)
        about = {"node": job.node, "ref": found.ref, "commit": found.commit}
        if found.conflicts:
            where = (job.workflow.id, job.turn, job.node, found.ref)
            await self._tell_conflict(*where, found.conflicts)
        else:
            await self._tell(job.turn, "work.returned", about)

    async def _shared(self, workflow: Workflow, node: str) -> tuple[Shared, str]:
        """The top of the workflow's repository, and where below it the workflow is."""
        folder = Path(workflow.work_dir)
        if not await asyncio.to_thread(in_repository, folder):
            raise ReplicaError(
                f"{folder} is in no git repository; make one, or set cluster.workspace to shared"
            )
        top = Path(await asyncio.to_thread(git, folder, "rev-parse", "--show-toplevel"))
        files = {} if workflow.worktree_files is None else journal.decode(workflow.worktree_files)
        brought = [*files.get("copy", ()), *files.get("link", ())]
        real = await asyncio.to_thread(folder.resolve)
        below = str(real.relative_to(top)) if real != top else ""
        return Shared(top, workflow.id, node, brought), below

    async def _need_shared(self, node: str, folder: Path, far: RemoteFolders) -> None:
        now, key = time.monotonic(), (node, str(folder))
        if now - self._probed.get(key, -PROBED_SECONDS) >= PROBED_SECONDS:
            await far.need_shared(folder)
            self._probed[key] = now

    async def _tell(self, turn: Turn, kind: str, payload: Mapping[str, Any]) -> None:
        def tell(tx: Tx) -> None:
            journal.append(
                tx,
                kind,
                payload,
                workflow_id=turn.workflow_id,
                agent_id=turn.agent_id,
                turn_id=turn.id,
            )

        await self._context.writer.write(tell)

    async def _tell_conflict(
        self, workflow_id: str, turn: Turn | None, node: str, ref: str, files: Sequence[str]
    ) -> None:
        """Nothing was merged: who leads the workflow has to know, and people."""
        where = f"what was done on node {node}" + (f" ({ref})" if ref else "")
        body = (
            f"{where} and what is in the work dir both changed {named(files)}. Nothing was "
            "overwritten: merge it by hand, or have it done again."
        )

        def tell(tx: Tx) -> None:
            payload = {"node": node, "ref": ref, "files": list(files)[:50]}
            journal.append(
                tx,
                "work.conflict",
                payload,
                workflow_id=workflow_id,
                agent_id=None if turn is None else turn.agent_id,
                turn_id=None if turn is None else turn.id,
            )
            if ref:
                how = {"sender": "perles", "kind": "system", "body": body}
                messages.tell_coordinator(tx, workflow_id, **how)

        await self._context.writer.write(tell)


def _wanted(task: Task, below: str) -> list[tuple[list[str], int]]:
    """The files of a task that git may ignore, as patterns, with how many bytes they may have."""
    execution = execution_of(task)
    kept = execution.artifacts
    found = [
        (list(kept.paths), kept.max_bytes),
        (list(products.wanted(task).values()), MAX_OUTPUTS),
    ]
    folders = (str(Path(below, execution.dir)) if kept.paths else below, below)
    return [
        ([str(Path(folder, pattern)) for pattern in patterns], most)
        for folder, (patterns, most) in zip(folders, found, strict=True)
        if patterns
    ]
