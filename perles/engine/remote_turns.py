"""Turns on other machines: what the engine needs to know of where one runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from perles.agents.provider import Outcome
from perles.executor.remote.part import Ask
from perles.mcp.host import Caller
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


class Elsewhere(NamedTuple):
    """Where a turn runs on another machine: all of these are there.

    `work_dir` is its folder, `folder` the agent's own, `mcp_url` where it calls tools.
    """

    node: str
    work_dir: Path
    folder: Path
    mcp_url: str


class RemoteWork(Protocol):
    """Carries the work of turns to other machines and back."""

    async def prepare(self, turn: Turn, agent: Agent, workflow: Workflow) -> Elsewhere:
        """See that the agent's node has all that its turn needs.

        Raises `PerlesError` in words where it cannot be had.
        """
        ...

    async def bring(self, turn_id: int) -> Outcome | None:
        """Bring what a turn left; how the turn has to end where that cannot be."""
        ...

    async def before_call(self, caller: Caller, kind: str) -> None:
        """Bring what there is by now where the call is about files. Raises `ToolError`."""
        ...

    async def folder_of(self, task: Task) -> tuple[str, Path] | None:
        """The node on which a task was worked on, and the work dir there.

        None where that is this machine, or where the node cannot be asked any more: its work is
        here.
        """
        ...

    async def here(self, caller: Caller, path: str) -> str:
        """Where a file is here that the caller names by its path on its node."""
        ...


@runtime_checkable
class AsksNodes(Protocol):
    """An executor that can ask the parts of a node."""

    def asker(self, node: str) -> Ask:
        """The way to a node."""
        ...


@runtime_checkable
class RunsOnNodes(Protocol):
    """An executor that runs commands beside turns on nodes, too."""

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
        """As `run_aside`, with a file that holds `script` as the last argument."""


class Placing(Protocol):
    """Decides on which node of a cluster turns run."""

    async def with_room(self, agents: Sequence[Agent], /) -> list[Agent]:
        """Those of the agents that can have a turn now; of the others it is noted why not."""

    def avoid(self, node: str, /) -> None:
        """A turn found no room on this node: it gets none for a while."""

    def choose(self, tx: Tx, workflow: Workflow, agent: Agent, /) -> Where:
        """The node for a turn that begins in this transaction; `took` has to follow."""

    def took(self, tx: Tx, workflow: Workflow, agent: Agent, node: str | None, /) -> None:
        """Write where the agent is from now on."""


class Where(NamedTuple):
    """The node for a turn, None for this machine; or why it has to wait, "" where it has not."""

    node: str | None
    waits: str = ""
    is_hopeless: bool = False
