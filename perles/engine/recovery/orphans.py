"""Processes of workflows that do not run: left by an engine that died while it ended them."""

import asyncio
import signal
from typing import Final

from perles.engine.context import Context, log
from perles.executor.local import processes
from perles.store.schema.workflows import Workflow

GRACE: Final = 2.0
"""Seconds between TERM and KILL."""
_LOOK: Final = 0.02


async def end_orphans(context: Context) -> int:
    """End every process that carries the mark of a workflow here that is not running; how many."""
    found = _orphans(context)
    if not found:
        return 0
    log.warning("ending processes of workflows that do not run: %s", [one.pid for one in found])
    loop = asyncio.get_running_loop()
    _signal(found, signal.SIGTERM)
    deadline = loop.time() + GRACE
    while _orphans(context) and loop.time() < deadline:  # noqa: ASYNC110 - /proc tells nobody
        await asyncio.sleep(_LOOK)
    _signal(_orphans(context), signal.SIGKILL)
    return len(found)


def _orphans(context: Context) -> list[processes.Marked]:
    return [one for one in processes.marked() if _is_idle(context, one.workflow_id)]


def _signal(orphans: list[processes.Marked], number: signal.Signals) -> None:
    if orphans:
        processes.signal_family(number, {one.marker for one in orphans})


def _is_idle(context: Context, workflow_id: str) -> bool:
    """Whether this is one of our workflows, and none of its agents should live."""
    workflow = context.reader.get(Workflow, workflow_id)
    return workflow is not None and workflow.state != "running"
