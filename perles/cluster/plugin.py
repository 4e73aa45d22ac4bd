"""What runs inside each Dask worker: it starts the node of its machine, and hands calls to it.

The node is detached: it outlives the worker, the nanny and the scheduler, and the next worker on
that machine finds it by its folder.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
import sys
from dataclasses import field
from typing import Any, Final

from distributed.diagnostics.plugin import WorkerPlugin

from perles.cluster.sealed import Sealed, sealed
from perles.domain.node_words import node_folder, this_node
from perles.domain.records import dataclass
from perles.executor.remote.channel import SOCKET, ask_socket
from perles.version import __version__

NAME: Final = "perles-node"
READY_SECONDS: Final = 20.0
"""How long a node that was started may take until it answers."""
_POLL: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How nodes are started: `slots` 0 for as many as there are CPUs; labels by node.

    `folder` is where nodes have their folders; "" for `~/.perles/nodes`.
    """

    slots: int = 0
    folder: str = ""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)


class NodeStarter(WorkerPlugin):  # type: ignore[misc,unused-ignore]
    """Starts the node of a worker's machine, or finds it. What fails is told, never raised: a
    worker whose plugin raises would end."""

    name = NAME
    """By which Dask knows it: a second engine's takes the place of the first one's."""
    idempotent = False

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._starting: asyncio.Lock | None = None
        self._threads = 0
        self.problem = ""

    async def setup(self, worker: Any) -> None:
        """Offer the two operations by which an engine asks, and start the node."""
        self._starting = asyncio.Lock()
        worker.handlers["perles_node"] = self.ask
        worker.handlers["perles_node_who"] = self.who
        await self._ensure()

    async def ask(self, data: Sealed, seconds: float) -> Any:
        """The node's answer to an encoded call; a text says why there is none."""
        try:
            return sealed(await asyncio.to_thread(ask_socket, self.folder, data.data, seconds))
        except (OSError, EOFError, TimeoutError) as error:
            return f"the node of {self.node} does not answer: {type(error).__name__} {error}"

    async def who(self) -> dict[str, Any]:
        """Which node this is, started again where it has ended."""
        await self._ensure()
        return {
            "name": self.node,
            "folder": self.folder,
            "host": socket.gethostname(),
            "perles": __version__,
            "python": platform.python_version(),
            "problem": self.problem,
        }

    @property
    def node(self) -> str:
        """The node's name: the machine's, or what the worker's environment says."""
        return this_node(os.environ, socket.gethostname())

    @property
    def folder(self) -> str:
        """The folder of the node's files."""
        return node_folder(os.environ, self.node, self._settings.folder)

    async def _ensure(self) -> None:
        assert self._starting is not None
        async with self._starting:
            try:
                if not await _lives(self.folder):
                    await self._start()
                self.problem = ""
            except (OSError, TimeoutError) as error:
                self.problem = f"its node does not start: {error}"

    async def _start(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as a text
        await asyncio.to_thread(_spawn, self.argv())
        async with asyncio.timeout(READY_SECONDS):
            while not await _lives(self.folder):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL)

    def argv(self) -> list[str]:
        """The command line of the node."""
        argv = [sys.executable, "-m", "perles.node", "--dir", self.folder, "--name", self.node]
        argv += ["--slots", str(self._settings.slots)] if self._settings.slots else []
        for label in self._settings.labels.get(self.node, ()):
            argv += ["--label", label]
        return argv


def _spawn(argv: list[str]) -> None:
    """Start a program whose parent is not this process: it would be left as a zombie otherwise."""
    twice = "import os, subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("DASK_")}
    subprocess.run(
        [sys.executable, "-c", twice, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environ,
        cwd="/",
        timeout=READY_SECONDS,
        check=True,
    )


async def _lives(folder: str) -> bool:
    """Whether a node listens there."""
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_unix_connection(os.path.join(folder, SOCKET))
    except OSError:
        return False
    writer.close()
    return True
