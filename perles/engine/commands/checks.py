"""Runs the check of a task that is to be marked done, before the transaction that does it.

It runs outside the workflow's lane: others go on meanwhile. Two calls for one task wait for the
same run. Of an engine that died the next one ends what it had begun, before it takes calls; the
call is made again, and so the check is run again, once.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from perles.domain.errors import ToolError
from perles.domain.execution import Check
from perles.domain.states import BEGUN_TASK_STATES
from perles.engine.commands.evidence import COMPLETE
from perles.engine.context import Context
from perles.engine.remote_turns import RunsOnNodes
from perles.mcp.host import Caller
from perles.store import statements
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.tasks.checking import Checked, check_of, last_lines
from perles.tasks.stored_execution import execution_of
from perles.workspace import door
from perles.workspace.session import agent_folder

TIMED_OUT: Final = 124


class Checks:
    """The checks that run now."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._running: dict[int, asyncio.Future[Checked]] = {}

    async def look(self, caller: Caller, kind: str, args: dict[str, Any]) -> Checked | None:
        """How the check of the task ended that is to be marked done; None where none stands.

        Raises `ToolError` where it could not be run.
        """
        if kind != COMPLETE:
            return None
        about = {"workflow_id": caller.workflow_id, "key": args["task_id"]}
        task = self._context.reader.first(Task, statements.TASK_KEYED, **about)
        if task is None or task.status not in BEGUN_TASK_STATES:
            return None
        check = check_of(task)
        if check is None:
            return None
        running = self._running.get(task.id)
        if running is None:
            running = self._running[task.id] = asyncio.ensure_future(self._run(task, check))
            running.add_done_callback(lambda _: self._running.pop(task.id, None))
        return await asyncio.shield(running)

    async def _there(self, task: Task) -> "Callable[..., Awaitable[int | None]] | None":
        """Runs a command on the node where a task was worked on; None for this machine."""
        remote, executor = self._context.remote, self._context.executor
        place = None if remote is None else await remote.folder_of(task)
        if place is None or not isinstance(executor, RunsOnNodes):
            return None
        node, folder = place
        return partial(executor.run_on, node, cwd=folder)

    async def _run(self, task: Task, check: Check) -> Checked:
        workflow = self._context.reader.need(Workflow, task.workflow_id)
        session = self._context.paths.found(workflow.session_dir or "")
        folder = agent_folder(session, "checks")
        output = folder / f"{task.key}-{task.attempt}.out"
        environ = {
            **self._context.environ_of(workflow),
            "PERLES_AGENT": "check",
        }
        program = execution_of(task).program
        script = output.with_suffix(".script")
        there = await self._there(task)
        try:
            log = door.create(output, append=True)
            try:
                deadline = asyncio.get_running_loop().time() + check.timeout
                for command in check.commands:
                    text = f"{command}\n".encode(errors="replace")
                    how: dict[str, Any] = {
                        "env": environ,
                        "workflow_id": workflow.id,
                        "output": log,
                        "seconds": deadline - asyncio.get_running_loop().time(),
                    }
                    if there is None:
                        door.write(script, text)
                        folder = Path(workflow.work_dir)
                        code = await self._context.executor.run_aside(
                            [*program, str(script)], cwd=folder, **how
                        )
                    else:
                        code = await there(program, text, **how)
                    if code != 0:
                        break
            finally:
                os.close(log)
        except OSError as error:
            raise ToolError(
                f"cannot run the check of task {task.key}: {error.strerror}; mark_task_complete "
                "tries again"
            ) from error
        if code is not None and code < 0:
            code = 128 - code  # as a shell says it
        said = f"timed out after {check.timeout:g}s" if code is None else f"exit {code}"
        return Checked(task.attempt, TIMED_OUT if code is None else code, said, last_lines(output))
