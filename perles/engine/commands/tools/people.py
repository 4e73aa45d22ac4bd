"""Whom a tool of the review cycle is about: who has the task, and who is free for one."""

from perles.domain.errors import ToolError
from perles.domain.states import GONE_AGENTS
from perles.engine.commands.base import ToolCall
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task


def implementer_of(call: ToolCall, task: Task, what: str) -> Agent:
    """The worker of the task, which the call names. Raises `ToolError` that begins with `what`."""
    named = call.worker("implementer_id")
    if task.implementer_id != named.id:
        whose = f"{task.assignee} has it" if task.assignee else "no worker has it"
        raise ToolError(f"{what}: it is not the task of {named.name}, {whose}")
    return named


def need_present(worker: Agent, task: Task, what: str) -> None:
    """Raise `ToolError` where the worker of a task will not go on with it."""
    if worker.status in GONE_AGENTS or worker.task_id != task.id:
        state = worker.status if worker.status in GONE_AGENTS else "not at it any more"
        raise ToolError(
            f"{what}: {worker.name} is {state}; assign_task gives the task to another worker"
        )


def need_free(worker: Agent, what: str) -> None:
    """Raise `ToolError` unless the worker can take a task or a review."""
    if worker.status not in ("ready", "working") or worker.phase != "idle" or worker.task_id:
        raise ToolError(
            f"{what}: it is {worker.status}, its phase {worker.phase}; choose one of "
            "ready_workers in query_worker_state, or spawn_worker"
        )
