"""post_accountability_summary and generate_accountability_summary: what was done, in own words."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.engine.commands.base import ToolCall
from perles.fabric import messages
from perles.store.schema.tasks import Task
from perles.tasks import accounts, comments


def post(call: ToolCall) -> dict[str, Any]:
    """Keep a worker's account of its task, or of all. Raises `ToolError`."""
    told = {name: value for name, value in call.args.items() if name != "task_id"}
    account = {name: value for name, value in told.items() if value is not None}
    task = None if call.args["task_id"] == accounts.WHOLE else _own_task(call)
    accounts.tell(call.tx, call.agent, task, account)
    return {"status": "kept", "task_id": call.args["task_id"], "worker_id": call.agent.name}


def _own_task(call: ToolCall) -> Task:
    """A task that the worker did or reviewed; of others' only they tell."""
    task, agent = call.task(), call.agent
    mine = agent.id in (task.implementer_id, task.reviewer_id) or agent.task_id == task.id
    if not mine and not _gave_verdict(call, task):
        raise ToolError(
            f"cannot tell of task {task.key}: {task.assignee or 'nobody'} did it; tell of your own "
            f'task, or of all with task_id "{accounts.WHOLE}"'
        )
    return task


def _gave_verdict(call: ToolCall, task: Task) -> bool:
    verdicts = (
        *comments.of_kind(call.tx, task, "approved"),
        *comments.of_kind(call.tx, task, "denied"),
    )
    return any(one.author == call.agent.name for one in verdicts)


def generate(call: ToolCall) -> dict[str, Any]:
    """Ask a worker to merge what all told. Raises `ToolError` for one that cannot."""
    worker = call.worker()
    if worker.provider == BUILTIN or worker.status not in ("ready", "working"):
        why = "it only runs commands" if worker.provider == BUILTIN else f"it is {worker.status}"
        raise ToolError(f"cannot ask {worker.name}: {why}; choose another one")
    if worker.phase != "idle" or worker.task_id is not None:
        raise ToolError(f"cannot ask {worker.name}: it has a task; choose one of ready_workers")
    body = accounts.to_merge(call.tx, call.workflow.id)
    messages.post(call.tx, worker, sender=call.agent.name, kind="coordinator", body=body)
    return {"status": "asked", "worker_id": worker.name}
