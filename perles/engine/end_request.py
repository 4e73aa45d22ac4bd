"""The end of a workflow, asked for inside a transaction and carried out as a command."""

from typing import Final

from sqlalchemy import select

from perles.store.database import Tx
from perles.store.events import journal
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql

NEXT_CLOSING: Final = Sql(
    select(Command.id).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.kind.in_(["complete", "fail"]),
        Command.status.in_(["queued", "running"]),
    )
)


def request_end(tx: Tx, workflow: Workflow, kind: str, reason: str | None) -> None:
    """Queue the command that ends a workflow (`complete` or `fail`), unless one is under way."""
    if tx.row(NEXT_CLOSING, workflow_id=workflow.id) is None:
        args = journal.encode({"reason": reason})
        tx.insert(Command, workflow_id=workflow.id, kind=kind, args=args, source="engine")
