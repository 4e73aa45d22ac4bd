"""A task as its worker is told of it."""

from perles.agents.provider import TaskBrief
from perles.store import journal
from perles.store.schema import Task


def task_brief(task: Task, *, attempt: int, note: str = "") -> TaskBrief:
    """The brief of one attempt; `note` is guidance beyond the task's own text."""
    return TaskBrief(
        key=task.key,
        title=task.title,
        body=task.body,
        run=task.run,
        env=journal.decode(task.env),
        timeout=task.timeout,
        attempt=attempt,
        note=note,
    )
