"""archive: an ended workflow is put out of sight; nothing of it is removed."""

from typing import Any

from perles.domain.commands import Archive
from perles.engine.context import Context
from perles.store.events import journal
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


async def archive(context: Context, command: Command, _asked: Archive) -> dict[str, Any]:
    """Mark the workflow. Raises `WrongStateError` for one that has not ended."""
    workflow_id = command.workflow_id or ""
    await context.writer.write(lambda tx: _mark(tx, workflow_id))
    return {"status": "archived"}


def _mark(tx: Tx, workflow_id: str) -> None:
    workflow = tx.need(Workflow, workflow_id)
    Archive.check_state(workflow.state, workflow_id)
    if workflow.archived_at is None:
        tx.update(Workflow, workflow_id, archived_at=tx.now)
        journal.append(tx, "workflow.archived", {}, workflow_id=workflow_id)
