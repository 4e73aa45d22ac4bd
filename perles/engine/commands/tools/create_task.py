"""create_task: the coordinator adds a task to the plan."""

from typing import Any, Final

from perles.domain.errors import ToolError
from perles.domain.execution import Execution
from perles.domain.states import OPEN_TASK_STATES, TASK, TaskStatus
from perles.engine.commands.base import ToolCall
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.tasks import Task, TaskDependency
from perles.tasks.graph import unblock
from perles.templates.keys.texts import KEY

MAX_TASKS: Final = 1000
"""Tasks of one workflow that its coordinator may bring it to."""


def handle(call: ToolCall) -> dict[str, Any]:
    """Add a task; it is ready when all that it waits for is done. Raises `ToolError`."""
    tx, workflow, key = call.tx, call.workflow, call.args["key"]
    there = {task.key: task for task in tx.all(Task, statements.TASKS_OF, workflow_id=workflow.id)}
    if not KEY.fullmatch(key) or len(key) > 64:
        raise ToolError(f"cannot use key {key[:64]!r}: small letters, digits, - and _, at most 64")
    if key in there:
        raise ToolError(f"cannot create task {key}: there is one; list_tasks shows it")
    if len(there) >= MAX_TASKS:
        raise ToolError(f"cannot create task {key}: {MAX_TASKS} tasks are the limit")
    after = tasks_to_wait_for(call, there)
    task_id = tx.insert(
        Task,
        workflow_id=workflow.id,
        key=key,
        title=call.args["title"],
        body=call.args["body"],
        status=TASK.states[0],
        retries=call.args.get("retries") or 0,
        execution=journal.encode(Execution(review=call.args.get("review") or "").stored()),
    )
    for blocker in after:
        tx.insert(TaskDependency, task_id=task_id, depends_on_id=blocker.id)
    journal.append(
        tx,
        "task.created",
        {"key": key, "name": call.args["title"], "after": [task.key for task in after]},
        workflow_id=workflow.id,
        agent_id=call.agent.id,
        task_id=task_id,
    )
    ready = key in unblock(tx, workflow.id)
    return {"task_id": key, "status": "ready" if ready else "pending"}


def tasks_to_wait_for(call: ToolCall, there: dict[str, Task]) -> list[Task]:
    """The tasks that the argument `after` names. Raises `ToolError`."""
    found = []
    for name in dict.fromkeys(call.args.get("after") or ()):
        task = there.get(name)
        if task is None:
            raise ToolError(f"cannot wait for task {name!r}: there is none; list_tasks shows all")
        if task.status not in (*OPEN_TASK_STATES, TaskStatus.DONE):
            raise ToolError(f"cannot wait for task {name}: it is {task.status}")
        found.append(task)
    return found
