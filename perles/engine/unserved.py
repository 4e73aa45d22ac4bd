"""Workflows whose agents cannot call tools: paused with the reason, instead of waiting for ever."""

import asyncio

from perles.domain.errors import PerlesError, WrongStateError
from perles.engine.commands import Commands
from perles.engine.context import Context, log


class Unserved:
    """Called with a workflow whose MCP server does not run, and why."""

    def __init__(self, context: Context, commands: Commands) -> None:
        self._context = context
        self._commands = commands
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, workflow_id: str, problem: str) -> None:
        """Pause it: nothing is lost, and whoever mends the cause can resume it."""
        task = asyncio.ensure_future(self._pause(workflow_id, problem))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for what is being paused."""
        await asyncio.gather(*self._tasks)

    async def _pause(self, workflow_id: str, problem: str) -> None:
        async with self._commands.lane(workflow_id):
            try:
                await self._context.supervisor.pause(workflow_id, reason=problem)
            except WrongStateError:
                return  # it has ended, or somebody paused it
            except PerlesError as error:
                log.error("cannot pause %s: %s", workflow_id, error)
