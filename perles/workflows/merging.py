"""What is kept of merges and rebases: on the workflow's row, and as events."""

from collections.abc import Mapping
from typing import Any

from perles.access.origin import Origin
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


def record_merge(
    tx: Tx, workflow_id: str, record: Mapping[str, Any], origin: Origin
) -> dict[str, Any]:
    """Keep that a workflow's branch was merged; what is kept."""
    kept = {**record, "at": tx.now}
    tx.update(Workflow, workflow_id, merged=journal.encode(kept))
    payload = {**record, "by": origin.payload()}
    journal.append(tx, "workflow.merged", payload, workflow_id=workflow_id)
    return kept


def record_pull_request(
    tx: Tx, workflow_id: str, record: Mapping[str, Any], by: Mapping[str, Any]
) -> None:
    """Keep where a workflow's branch was proposed."""
    tx.update(Workflow, workflow_id, pull_request=journal.encode({**record, "at": tx.now}))
    payload = {**record, "by": by}
    journal.append(tx, "workflow.pull_request", payload, workflow_id=workflow_id)


def record_rebase(tx: Tx, workflow_id: str, record: Mapping[str, Any], origin: Origin) -> None:
    """Keep where a workflow's branch begins now."""
    tx.update(Workflow, workflow_id, base_commit=record["base"])
    payload = {**record, "by": origin.payload()}
    journal.append(tx, "workflow.rebased", payload, workflow_id=workflow_id)
