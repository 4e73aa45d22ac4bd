"""signal_workflow_complete: the coordinator declares the end; the engine checks that it is one."""

from typing import Any, Final

from perles.domain.commands import Complete, Fail
from perles.domain.errors import ToolError
from perles.domain.states import OPEN_TASK_STATES
from perles.engine.commands.base import ToolCall
from perles.engine.end_request import request_end
from perles.store.expressions import func, select
from perles.store.schema.tasks import Task
from perles.store.sql import WORKFLOW_ID, Sql

COUNT_OPEN_TASKS: Final = Sql(
    select(func.count())
    .select_from(Task)
    .where(Task.workflow_id == WORKFLOW_ID, Task.status.in_([str(s) for s in OPEN_TASK_STATES]))
)
FAILED_TASK_KEYS: Final = Sql(
    select(Task.key)
    .where(Task.workflow_id == WORKFLOW_ID, Task.status == "failed", Task.tolerated == 0)
    .order_by(Task.id)
)


def handle(call: ToolCall) -> dict[str, Any]:
    """Queue the end of the workflow. Success needs every task ended and none failed."""
    tx, workflow_id = call.tx, call.workflow.id
    status, summary = call.args["status"], call.args["summary"]
    if status == "success":
        still_open = tx.value(COUNT_OPEN_TASKS, workflow_id=workflow_id)
        failed = [row[0] for row in tx.rows(FAILED_TASK_KEYS, workflow_id=workflow_id)]
        if still_open:
            raise ToolError(f"cannot end with success: {still_open} tasks are still open")
        if failed:
            raise ToolError(
                f"cannot end with success: {', '.join(failed)} failed; signal partial instead"
            )
    request_end(tx, call.workflow, (Complete if status == "success" else Fail)(reason=summary))
    return {"status": status, "workflow_id": workflow_id}
