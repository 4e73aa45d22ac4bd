"""Processes of workflows that do not run: left by an engine that died while it ended them."""

import signal

from perles.engine.context import Context, log
from perles.executor.local import processes, termination
from perles.store.schema.workflows import Workflow


async def end_orphans(context: Context) -> int:
    """End every process that carries the mark of a workflow here that is not running; how many."""
    found = _orphans(context)
    if not found:
        return 0
    log.warning("ending processes of workflows that do not run: %s", [one.pid for one in found])
    await termination.end(
        lambda number: _signal(_orphans(context), number),
        lambda: _orphans(context),
        grace=termination.ORPHANS_GRACE,
    )
    return len(found)


def _orphans(context: Context) -> list[processes.Marked]:
    return [one for one in processes.marked() if _is_idle(context, one.workflow_id)]


def _signal(orphans: list[processes.Marked], number: signal.Signals) -> int:
    markers = {one.marker for one in orphans}
    return processes.signal_family(number, markers) if markers else 0


def _is_idle(context: Context, workflow_id: str) -> bool:
    """Whether this is one of our workflows, and none of its agents should live."""
    workflow = context.reader.get(Workflow, workflow_id)
    return workflow is not None and workflow.state != "running"
