"""assign_task: a ready task goes to a worker that has none."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.staffing import label, worker_for
from perles.domain.states import PHASE, TASK
from perles.engine import mail
from perles.engine.briefs import task_brief
from perles.engine.handlers.base import ToolCall
from perles.provider_config import split_choice
from perles.store.schema import Agent
from perles.store.transition import fire


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
    tx.update(Agent, worker.id, task_id=task.id, silences=0)
    fire(tx, PHASE, worker.id, "implement")
    brief = task_brief(tx, task, attempt=task.attempt + 1, note=call.args.get("summary") or "")
    body = call.context.provider(worker.provider, worker.role).task_message(brief)
    mail.post(tx, worker, sender=call.agent.name, kind="coordinator", body=body)
    return {"status": "assigned", "task_id": task.key, "worker_id": worker.name}
