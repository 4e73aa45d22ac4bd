"""assign_task: a task that is ready, or whose worker is gone, goes to a worker that has none."""

from typing import Any, Final

from perles.domain.errors import ToolError
from perles.domain.provider_choice import label, split_choice, worker_for
from perles.domain.states import PHASE, TASK
from perles.engine.commands.base import ToolCall
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transition import fire
from perles.tasks import attempts
from perles.tasks.briefs import task_brief
from perles.tasks.reports import has_report

GONE: Final = ("failed", "stopped", "retired")
"""States of a worker that will not go on with its task."""


def handle(call: ToolCall) -> dict[str, Any]:
    """Give the task to the worker; it learns of it at its next turn. Raises `ToolError`."""
    tx, task, worker = call.tx, call.task(), call.worker()
    task = _taken_back(call, task)
    if task.status != "ready":
        raise ToolError(
            f"cannot assign task {task.key}: it is {task.status}, not ready{_way_on(task)}"
        )
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
    body = call.context.provider(worker.provider, worker.role, call.workflow).task_message(brief)
    sender = call.agent.name
    messages.post(tx, worker, sender=sender, kind="coordinator", body=body, task_id=task.id)
    thread = _post(call, task, worker)
    return {
        "status": "assigned",
        "task_id": task.key,
        "worker_id": worker.name,
        "thread_id": thread,
    }


def _post(call: ToolCall, task: Task, worker: Agent) -> int:
    """Tell of it in the task's thread in #tasks; the id of the thread."""
    attempt = f", attempt {task.attempt + 1}" if task.attempt else ""
    text = f"{task.key}: {task.title}\nassigned to {worker.name}{attempt}"
    if call.args.get("summary"):
        text = f"{text}\n\n{call.args['summary']}"
    current = call.tx.need(Task, task.id)
    return posts.in_task_thread(call.tx, current, Author.of(call.agent), text, "request").thread


def _taken_back(call: ToolCall, task: Task) -> Task:
    """The task, ready again where its worker is gone: that costs none of its retries."""
    if task.status != "in_progress" or task.implementer_id is None or has_report(task):
        return task
    tx, old = call.tx, call.tx.need(Agent, task.implementer_id)
    if old.status not in GONE:
        return task
    why = f"{old.name} is {old.status}"
    attempts.take_from_worker(tx, task, why)
    payload = {"key": task.key, "attempt": task.attempt, "reason": why}
    fire(tx, TASK, task.id, "retry", changes={"retries": task.retries + 1}, payload=payload)
    return tx.need(Task, task.id)


def _way_on(task: Task) -> str:
    """What makes the task ready."""
    return {
        "failed": "; reopen_task makes it ready again",
        "skipped": "; reopen_task, for it or for the failed one that it waits for",
        "in_progress": f"; {task.assignee} works on it: mark_task_failed takes it back",
        "pending": "; the tasks that it waits for must be done first",
    }.get(task.status, "")
