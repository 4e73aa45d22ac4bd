"""set: a workflow's priority and budgets are changed; what waits is looked at again."""

from typing import Any

from perles.domain.commands import Set
from perles.engine.context import Context
from perles.store.schema.engine import Command
from perles.workflows.settings import change


async def set_(context: Context, command: Command, wanted: Set) -> dict[str, Any]:
    """Change the workflow. Raises `UsageError`, `WrongStateError`."""
    workflow_id = command.workflow_id or ""
    return await context.writer.write(lambda tx: change(tx, workflow_id, wanted))
