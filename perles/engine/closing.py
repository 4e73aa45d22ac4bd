"""The end of a workflow, asked for inside a transaction and carried out as a command."""

from perles.engine import queries
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Command, Workflow


def request_end(tx: Tx, workflow: Workflow, kind: str, reason: str | None) -> None:
    """Queue the command that ends a workflow (`complete` or `fail`), unless one is under way."""
    if tx.row(queries.NEXT_CLOSING, workflow_id=workflow.id) is None:
        args = journal.encode({"reason": reason})
        tx.insert(Command, workflow_id=workflow.id, kind=kind, args=args, source="engine")
