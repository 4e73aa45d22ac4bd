"""Commands beside turns, such as checks of tasks: a request that comes twice is one run."""

import asyncio
import os
import tempfile
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from perles.executor.local.executor import LocalExecutor
from perles.executor.remote.errors import NodeError
from perles.executor.remote.messages import Ran, RunAside
from perles.node.turns import of_this_machine

KEPT: Final = 200
"""Commands that have ended whose result is kept, for a request that comes again."""
ENDING: Final = 2.0
"""Seconds in which a command that was killed has to be gone: a node waits no longer for it."""
MAX_OUTPUT: Final = 64 * 1024


class Asides:
    """The running commands, and the results of the last ones."""

    def __init__(self, executor: LocalExecutor, root: Path) -> None:
        self._executor, self._root = executor, root
        self._runs: OrderedDict[str, asyncio.Task[Ran]] = OrderedDict()
        self._ended_by = ("failed", "it was ended")

    async def run(self, asked: RunAside) -> Ran:
        """Run a command to its end, once.

        Raises `NodeError` where it cannot be started, or was ended by `end`.
        """
        running = self._runs.get(asked.key)
        if running is None:
            running = self._runs[asked.key] = asyncio.create_task(self._run(asked))
        try:
            # The caller may hang up: the command goes on, for when it asks again.
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if not running.cancelled():
                raise
            kind, why = self._ended_by
            raise NodeError(kind, f"cannot run {asked.argv[0]} to its end: {why}") from None
        except OSError as error:
            raise NodeError("failed", f"cannot run {asked.argv[0]}: {error.strerror}") from error

    async def end(self, kind: str, why: str) -> None:
        """End all that run: who waits for them is refused by this `kind`, and told why."""
        self._ended_by = kind, why
        running = [run for run in self._runs.values() if not run.done()]
        for run in running:
            run.cancel()
        if running:
            await asyncio.wait(running, timeout=ENDING)

    async def _run(self, asked: RunAside) -> Ran:
        self._trim()
        with tempfile.TemporaryFile(dir=self._root) as output, ExitStack() as stack:
            argv = asked.argv
            if asked.script is not None:
                script = stack.enter_context(tempfile.NamedTemporaryFile(dir=self._root.parent))
                script.write(asked.script)
                script.flush()
                argv = [*argv, script.name]
            code = await self._executor.run_aside(
                argv,
                cwd=self._root / asked.cwd,
                env=of_this_machine(asked.env),
                workflow_id=asked.workflow_id,
                output=output.fileno(),
                seconds=asked.seconds,
            )
            size = os.fstat(output.fileno()).st_size
            start = max(0, size - MAX_OUTPUT)
            return Ran(code=code, output=os.pread(output.fileno(), MAX_OUTPUT, start))

    def _trim(self) -> None:
        for key in [key for key, run in self._runs.items() if run.done()][:-KEPT]:
            del self._runs[key]
