"""signal_workflow_complete: the coordinator declares the end; the engine checks that it is one."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine import queries
from perles.engine.closing import request_end
from perles.engine.handlers.base import ToolCall


def handle(call: ToolCall) -> dict[str, Any]:
    """Queue the end of the workflow. Success needs every task ended and none failed."""
    tx, workflow_id = call.tx, call.workflow.id
    status, summary = call.args["status"], call.args["summary"]
    if status == "success":
        still_open = tx.value(queries.COUNT_OPEN_TASKS, workflow_id=workflow_id)
        failed = [row[0] for row in tx.rows(queries.FAILED_TASK_KEYS, workflow_id=workflow_id)]
        if still_open:
            raise ToolError(f"cannot end with success: {still_open} tasks are still open")
        if failed:
            raise ToolError(
                f"cannot end with success: {', '.join(failed)} failed; signal partial instead"
            )
    request_end(tx, call.workflow, "complete" if status == "success" else "fail", summary)
    return {"status": status, "workflow_id": workflow_id}
