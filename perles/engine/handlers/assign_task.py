"""assign_task: a ready task goes to a worker that has none."""

from typing import Any

from perles.agents.provider import TaskBrief
from perles.domain.errors import ToolError
from perles.domain.staffing import label, worker_for
from perles.domain.states import PHASE, TASK
from perles.engine import mail, queries
from perles.engine.handlers.base import ToolCall
from perles.provider_config import split_choice
from perles.store import journal
from perles.store.schema import Agent, Task
from perles.store.transition import fire
from perles.templates.outputs import fill


def handle(call: ToolCall) -> dict[str, Any]:
    """Give the task to the worker; it learns of it at its next turn. Raises `ToolError`."""
    tx, task, worker = call.tx, call.task(), call.worker()
    if task.status != "ready":
        raise ToolError(f"cannot assign task {task.key}: it is {task.status}, not ready")
    if worker.status not in ("ready", "working") or worker.phase != "idle" or worker.task_id:
        raise ToolError(
            f"cannot assign task {task.key} to {worker.name}: it is {worker.status}, its phase "
            f"{worker.phase}; choose one of ready_workers in query_worker_state"
        )
    kind = worker_for(
        run=task.run,
        worker=task.worker,
        coordinator=call.workflow.provider,
        default=label(call.workflow.worker_provider or call.workflow.provider, None),
    )
    if split_choice(kind)[0] != worker.provider:
        raise ToolError(
            f"cannot assign task {task.key} to {worker.name}: it needs a worker of {kind}, "
            f"and {worker.name} is {worker.provider}; spawn_worker with provider={kind!r}"
        )
    changes = {
        "implementer_id": worker.id,
        "assignee": worker.name,
        "attempt": task.attempt + 1,
        "started_at": task.started_at or tx.now,
        "exit_code": None,
        "failure": None,
    }
    payload = {"key": task.key, "worker": worker.name, "attempt": task.attempt + 1}
    fire(tx, TASK, task.id, "assign", changes=changes, payload=payload)
    tx.update(Agent, worker.id, task_id=task.id)
    fire(tx, PHASE, worker.id, "implement")
    provider = call.context.provider(worker.provider, worker.role)
    body = provider.task_message(_brief(call, task))
    mail.post(tx, worker, sender=call.agent.name, kind="coordinator", body=body)
    return {"status": "assigned", "task_id": task.key, "worker_id": worker.name}


def _brief(call: ToolCall, task: Task) -> TaskBrief:
    body, run = task.body, task.run
    if "{{" in body or "{{" in (run or ""):
        tasks = call.tx.all(Task, queries.TASKS_OF, workflow_id=call.workflow.id)
        said = {one.key: str(journal.decode(one.outputs).get("output", "")) for one in tasks}
        body = fill(body, said, for_shell=False)
        run = run and fill(run, said, for_shell=True)
    return TaskBrief(
        key=task.key,
        title=task.title,
        body=body,
        run=run,
        env=journal.decode(task.env),
        timeout=task.timeout,
        attempt=task.attempt + 1,
        note=call.args.get("summary") or "",
    )
