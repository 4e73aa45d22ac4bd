"""Processes of workflows that do not run: left by an engine that died while it ended them."""

from perles.engine.context import Context, log
from perles.executor.contract import ORPHANS_GRACE
from perles.store.schema.workflows import Workflow


async def end_orphans(context: Context) -> int:
    """End every process that carries the mark of a workflow here that is not running; how many."""

    def is_idle(workflow_id: str) -> bool:
        """Whether this is one of our workflows, and none of its agents should live."""
        workflow = context.reader.get(Workflow, workflow_id)
        return workflow is not None and workflow.state != "running"

    def is_ours(workflow_id: str) -> bool:
        return context.reader.get(Workflow, workflow_id) is not None

    # A caller whose check died with the last engine asks this one again.
    left = await context.executor.end_asides(is_ours)
    if left:
        log.warning("ended checks and probes that the last engine had begun: %s", left)
    found = await context.executor.end_orphans(is_idle, grace=ORPHANS_GRACE)
    if found:
        log.warning("ended processes of workflows that do not run: %s", found)
    return len(found)
