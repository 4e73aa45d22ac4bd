"""spawn_worker: one more worker, as far as the limits allow."""

from pathlib import Path
from typing import Any

from perles.domain.errors import ToolError
from perles.engine import admission, queries, scheduler
from perles.engine.handlers.base import ToolCall
from perles.engine.supervisor import add_agent


def handle(call: ToolCall) -> dict[str, Any]:
    """Add worker-N. Raises `ToolError` that names the limit which is reached."""
    tx, workflow = call.tx, call.workflow
    live = tx.value(queries.COUNT_LIVE_WORKERS, workflow_id=workflow.id)
    if live >= workflow.max_workers:
        raise ToolError(
            f"cannot spawn a worker: {live} of {workflow.max_workers} workers of this workflow "
            "live; go on with those"
        )
    policy = call.context.config.resource_policy
    admission.need_worker_slot(tx, policy, workflow, live)
    number = tx.value(queries.COUNT_WORKERS_EVER, workflow_id=workflow.id) + 1
    session = Path(workflow.session_dir or "")
    agent_type = call.args.get("agent_type") or ""
    worker = add_agent(tx, workflow, f"worker-{number}", "worker", session, agent_type)
    scheduler.acquire(tx, "worker", policy.max_workers, workflow.id, worker.id)
    admission.leave_worker_line(tx, workflow.id)
    return {"worker_id": worker.name}
