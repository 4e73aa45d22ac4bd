"""set: a workflow's priority and budgets are changed; what waits is looked at again."""

from typing import Any

from perles.domain.commands import Set
from perles.engine.context import Context
from perles.engine.resources import known_costs
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.workflows.settings import change


async def set_(context: Context, command: Command, wanted: Set) -> dict[str, Any]:
    """Change the workflow. Raises `UsageError`, `WrongStateError`."""
    workflow_id = command.workflow_id or ""

    def work(tx: Tx) -> dict[str, Any]:
        if wanted.cost_budget:
            known_costs.need(context, tx, tx.need(Workflow, workflow_id))
        return change(tx, workflow_id, wanted)

    return await context.writer.write(work)
