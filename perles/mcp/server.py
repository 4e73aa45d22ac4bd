"""One MCP server per running workflow: a port of its own, one token per agent.

Two protocol servers, one a role, live as long as the engine; each workflow adds a
port and a guard in front of them. The ports are held by a process that outlives the
engine (`ports`): a call that finds no engine waits there for the next one. The
protocol's library takes a good part of a second to import, so that is done when the
first workflow needs it, and beside the engine's other work; who calls meanwhile waits, too.
"""

import asyncio
import contextlib
import importlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from perles.domain.errors import PerlesError
from perles.mcp.guard import Application, Guard
from perles.mcp.host import ToolHost
from perles.mcp.ports import Ports

if TYPE_CHECKING:
    from perles.mcp.listener import Listener

log = logging.getLogger(__name__)

MAX_BODY: Final = 4 * 1024 * 1024


class McpServers:
    """The servers of all running workflows, in the engine's event loop."""

    def __init__(self, host: ToolHost, unserved: Callable[[str, str], None], home: Path) -> None:
        """`unserved` is told the id of a workflow whose server does not run, and why."""
        self._host = host
        self._unserved = unserved
        self.ports = Ports(home, self._call, host.rejected)
        self._may_run = False
        self._stopping = asyncio.Event()
        self._applications: dict[str, Application] | None = None
        self._problem: str | None = None
        self._protocols: asyncio.Task[None] | None = None
        self._open: dict[str, int] = {}
        self._listeners: dict[str, Listener] = {}

    def start(self) -> None:
        """From now on run the protocol servers, as soon as there is a workflow to serve."""
        self._may_run = True
        self._start_protocols()

    def _start_protocols(self) -> None:
        if self._may_run and self._open and self._protocols is None:
            self._protocols = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        # In one task: a protocol server must be left where it was entered.
        try:
            protocol, _ = await asyncio.to_thread(_load)
            managers = protocol.managers(self._host, max_body=MAX_BODY)
            async with contextlib.AsyncExitStack() as stack:
                for manager in managers.values():
                    await stack.enter_async_context(manager.run())
                self._applications = {
                    role: manager.handle_request for role, manager in managers.items()
                }
                for workflow_id in self._open:
                    self._listen(workflow_id)
                self.ports.serve()
                await self._stopping.wait()
        except Exception as error:
            log.exception("the MCP servers do not run")
            self._problem = (
                f"cannot serve agents: {error}; mend the installation (perles engine logs "
                "has the details), stop the engine, and go on"
            )
            for workflow_id in self._open:
                self._unserved(workflow_id, self._problem)

    def need(self) -> None:
        """Raises `PerlesError` where it is known that no agent can be served."""
        if self._problem is not None:
            raise PerlesError(self._problem)

    def open(self, workflow_id: str, port: int) -> None:
        """Serve a workflow's agents on a port that is held already; who calls early waits."""
        self._open[workflow_id] = port
        if self._problem is not None:
            self._unserved(workflow_id, self._problem)
        elif self._applications is not None:
            self._listen(workflow_id)
        self._start_protocols()

    def _listen(self, workflow_id: str) -> None:
        assert self._applications is not None
        port = self._open[workflow_id]
        guard = Guard(self._host, workflow_id, port, self._applications, max_body=MAX_BODY)
        _, listening = _load()
        self._listeners[workflow_id] = listening.Listener(guard)

    def _call(self, workflow_id: str, connection: socket.socket) -> None:
        listener = self._listeners.get(workflow_id)
        if listener is None:
            connection.close()  # it was closed at this moment: nobody waits there any more
        else:
            listener.take(connection)

    async def close(self, workflow_id: str) -> None:
        """Stop serving a workflow; nobody listens on its port when this returns."""
        self._open.pop(workflow_id, None)
        listener = self._listeners.pop(workflow_id, None)
        if listener is not None:
            await listener.close()
        await self.ports.drop(workflow_id)

    async def stop(self) -> None:
        """Serve no more. Ports that were not closed stay held, for the next engine."""
        await self.ports.rest()
        self._open.clear()
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
        self._listeners.clear()
        self._stopping.set()
        if self._protocols is not None:
            await self._protocols
        self.ports.leave()


def _load() -> tuple[ModuleType, ModuleType]:
    """The parts that are slow to import: the protocol, and what listens."""
    return (
        importlib.import_module("perles.mcp.protocol"),
        importlib.import_module("perles.mcp.listener"),
    )
