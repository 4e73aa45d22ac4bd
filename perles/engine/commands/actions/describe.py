"""rename and label: what people call a workflow, and how they find it again."""

from typing import Any

from perles.domain.commands import Label, Rename
from perles.engine.context import Context
from perles.store.schema.engine import Command
from perles.workflows import naming


async def rename(context: Context, command: Command, wanted: Rename) -> dict[str, Any]:
    """Give it another name. Raises `UsageError`."""
    workflow_id = command.workflow_id or ""
    return await context.writer.write(lambda tx: naming.rename(tx, workflow_id, wanted.name))


async def label(context: Context, command: Command, wanted: Label) -> dict[str, Any]:
    """Hang labels on it and take others off. Raises `UsageError`."""
    workflow_id = command.workflow_id or ""
    return await context.writer.write(lambda tx: naming.label(tx, workflow_id, wanted))
