"""assign_task: a task that is ready, or whose worker is gone, goes to a worker that has none."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN, label, split_choice, worker_for
from perles.domain.states import BEGUN_TASK_STATES, GONE_AGENTS, TASK
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.people import need_free
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transition import fire
from perles.tasks import attempts, named_limits, services
from perles.tasks.briefs import task_brief
from perles.tasks.reports import has_report
from perles.tasks.successor_answers import answers


def handle(call: ToolCall) -> dict[str, Any]:
    """Give the task to the worker; it learns of it at its next turn. Raises `ToolError`."""
    tx, task = call.tx, _taken_back(call, call.task())
    worker = call.worker()  # whom the task may just have been taken from
    if task.status != "ready":
        raise ToolError(
            f"cannot assign task {task.key}: it is {task.status}, not ready{_way_on(task)}"
        )
    if services.is_service(task):
        raise ToolError(f"cannot assign task {task.key}: it is a service, which begins by itself")
    _need_fitting(call, task, worker)
    waits = named_limits.take(tx, task)
    if waits is not None:
        return {
            "status": "waiting",
            "task_id": task.key,
            "waits_for": waits,
            "way_on": "go on with other tasks; you are told when it is this one's turn",
        }
    look = call.outside.look
    attempts.begin(
        tx,
        task,
        worker,
        reviewer_id=None,
        verdict=None,
        denials=0,
        question=None,
        base_commit=None if look is None or look.error else look.head,
        receipt="{}",
    )
    thread = _post(call, task, worker)
    brief = task_brief(
        tx,
        task,
        attempt=task.attempt + 1,
        note=call.args.get("summary") or "",
        answers="\n".join(answers(tx, task.workflow_id, task.id)),
    )
    body = call.context.provider_of(worker, call.workflow).task_message(brief)
    sender = call.agent.name
    messages.post(tx, worker, sender=sender, kind="coordinator", body=body, task_id=task.id)
    told = {"status": "assigned", "task_id": task.key, "worker_id": worker.name}
    return told if thread is None else {**told, "thread_id": thread}


def _need_fitting(call: ToolCall, task: Task, worker: Agent) -> None:
    """Raise `ToolError` unless the worker is free, and of the kind that the task needs."""
    need_free(worker, f"cannot assign task {task.key} to {worker.name}")
    kind = worker_for(
        run=task.run,
        worker=task.worker,
        coordinator=call.workflow.provider,
        default=label(call.workflow.worker_provider or call.workflow.provider, None),
    )
    if worker.provider not in (split_choice(kind)[0], _of_type(call, task, worker)):
        raise ToolError(
            f"cannot assign task {task.key} to {worker.name}: it needs a worker of {kind}, "
            f"and {worker.name} is {worker.provider}; spawn_worker with provider={kind!r}"
        )


def _post(call: ToolCall, task: Task, worker: Agent) -> int | None:
    """Tell of it in the task's thread in #tasks; the id of the thread.

    Workers that only run commands do not talk: their tasks have no thread.
    """
    if worker.provider == BUILTIN:
        return None
    attempt = f", attempt {task.attempt + 1}" if task.attempt else ""
    text = f"{task.key}: {task.title}\nassigned to {worker.name}{attempt}"
    if call.args.get("summary"):
        text = f"{text}\n\n{call.args['summary']}"
    current = call.tx.need(Task, task.id)
    return posts.in_task_thread(call.tx, current, Author.of(call.agent), text, "request").thread


def _of_type(call: ToolCall, task: Task, worker: Agent) -> str | None:
    """The provider of workers of this type, where the task names no other one."""
    roles: dict[str, str] = journal.decode(call.workflow.roles)
    found = roles.get(worker.agent_type) if task.worker is None and task.run is None else None
    return None if found is None else split_choice(found)[0]


def _taken_back(call: ToolCall, task: Task) -> Task:
    """The task, ready again where its worker is gone or blocked: that costs none of its retries."""
    if task.status not in BEGUN_TASK_STATES or task.implementer_id is None:
        return task
    tx, old = call.tx, call.tx.need(Agent, task.implementer_id)
    is_blocked = old.task_id == task.id and old.blocked is not None
    is_reported = task.status == "in_progress" and has_report(task)
    if not is_blocked and (old.status not in GONE_AGENTS or is_reported):
        return task
    why = f"{old.name} is blocked: {old.blocked}" if is_blocked else f"{old.name} is {old.status}"
    attempts.take_from_worker(tx, task, why)
    payload = {"key": task.key, "attempt": task.attempt, "reason": why}
    fire(tx, TASK, task.id, "retry", changes={"retries": task.retries + 1}, payload=payload)
    return tx.need(Task, task.id)


def _way_on(task: Task) -> str:
    """What makes the task ready."""
    if task.held_until is not None and task.status == "pending":
        return f"; it waits until {task.held_until} for its next attempt"
    return {
        "failed": "; reopen_task makes it ready again",
        "skipped": "; reopen_task, for it or for the failed one that it waits for",
        "in_progress": f"; {task.assignee} works on it: mark_task_failed takes it back",
        "in_review": "; wait for the verdict",
        "denied": f"; assign_review_feedback gives it back to {task.assignee}",
        "approved": "; approve_commit has it committed",
        "committing": f"; {task.assignee} commits it: wait for its report",
        "waiting_for_user": "; the user is asked",
        "pending": "; the tasks that it waits for must be done first",
    }.get(task.status, "")
