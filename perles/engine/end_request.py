"""The end of a workflow, asked for inside a transaction and carried out as a command."""

from typing import Final

from perles.domain.commands import Complete, Fail, Stop
from perles.store.expressions import select
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.workflows.commands import append_by_engine

NEXT_CLOSING: Final = Sql(
    select(Command.id).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.kind.in_(["complete", "fail", "stop"]),
        Command.status.in_(["queued", "running"]),
    )
)


def request_end(tx: Tx, workflow: Workflow, asked: Complete | Fail | Stop) -> None:
    """Queue the command that ends a workflow, unless one is under way."""
    if tx.row(NEXT_CLOSING, workflow_id=workflow.id) is None:
        append_by_engine(tx, workflow.id, asked)
