"""One MCP server per running workflow: a port of its own, one token per agent.

Two protocol servers, one a role, live as long as the engine; each workflow adds a
listening socket and a guard in front of them. The protocol's library takes a
good part of a second to import, so that is done when the first workflow needs it,
and beside the engine's other work: a socket listens at once, and who calls
meanwhile waits for its answer.
"""

import asyncio
import contextlib
import importlib
import logging
import socket
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final

from perles.domain.errors import PerlesError
from perles.mcp.guard import Application, Guard
from perles.mcp.host import ToolHost

if TYPE_CHECKING:
    from perles.mcp.listener import Listener

log = logging.getLogger(__name__)

MAX_BODY: Final = 4 * 1024 * 1024


class McpServers:
    """The servers of all running workflows, in the engine's event loop."""

    def __init__(self, host: ToolHost, unserved: Callable[[str, str], None]) -> None:
        """`unserved` is told the id of a workflow whose server does not run, and why."""
        self._host = host
        self._unserved = unserved
        self._may_run = False
        self._stopping = asyncio.Event()
        self._ready: asyncio.Future[dict[str, Application]] = asyncio.Future()
        self._problem: str | None = None
        self._protocols: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: dict[str, Listener] = {}

    def start(self) -> None:
        """From now on run the protocol servers, as soon as there is a workflow to serve."""
        self._may_run = True
        self._start_protocols()

    def _start_protocols(self) -> None:
        if self._may_run and self._tasks and self._protocols is None:
            self._protocols = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        # In one task: a protocol server must be left where it was entered.
        try:
            protocol, _ = await asyncio.to_thread(_load)
            managers = protocol.managers(self._host, max_body=MAX_BODY)
            async with contextlib.AsyncExitStack() as stack:
                for manager in managers.values():
                    await stack.enter_async_context(manager.run())
                self._ready.set_result(
                    {role: manager.handle_request for role, manager in managers.items()}
                )
                await self._stopping.wait()
        except Exception as error:
            log.exception("the MCP servers do not run")
            self._problem = (
                f"cannot serve agents: {error}; mend the installation (perles engine logs "
                "has the details), stop the engine, and go on"
            )
            self._ready.cancel()

    def need(self) -> None:
        """Raises `PerlesError` where it is known that no agent can be served."""
        if self._problem is not None:
            raise PerlesError(self._problem)

    def open(self, workflow_id: str, listener: socket.socket) -> None:
        """Serve a workflow's agents on a socket that listens already; who calls early waits."""
        task = asyncio.ensure_future(self._serve(workflow_id, listener))
        self._tasks[workflow_id] = task
        task.add_done_callback(lambda ended: self._tell(workflow_id, ended))
        self._start_protocols()

    async def _serve(self, workflow_id: str, sock: socket.socket) -> None:
        try:
            applications = await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            sock.close()
            self.need()
            raise
        port = sock.getsockname()[1]
        guard = Guard(self._host, workflow_id, port, applications, max_body=MAX_BODY)
        _, listening = _load()
        server = self._listeners[workflow_id] = listening.Listener(guard)
        await server.serve(sockets=[sock])

    async def close(self, workflow_id: str) -> None:
        """Stop serving a workflow; its socket is closed when this returns."""
        task = self._tasks.pop(workflow_id, None)
        if task is None:
            return
        server = self._listeners.pop(workflow_id, None)
        if server is None:
            task.cancel()
        else:
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0)
            server.leave()
        await asyncio.wait([task])

    def _tell(self, workflow_id: str, ended: "asyncio.Task[None]") -> None:
        if ended.cancelled() or (error := ended.exception()) is None:
            return
        if not isinstance(error, PerlesError):
            log.error("the MCP server of %s failed", workflow_id, exc_info=error)
            error = PerlesError(f"its MCP server failed: {error}")
        self._unserved(workflow_id, str(error))

    async def stop(self) -> None:
        """Close everything."""
        await asyncio.gather(*(self.close(workflow_id) for workflow_id in list(self._tasks)))
        self._stopping.set()
        if self._protocols is not None:
            await self._protocols


def _load() -> tuple[ModuleType, ModuleType]:
    """The parts that are slow to import: the protocol, and what listens."""
    return (
        importlib.import_module("perles.mcp.protocol"),
        importlib.import_module("perles.mcp.listener"),
    )
