"""The tasks of a plan as rows."""

from dataclasses import replace
from typing import Any

from perles.domain.specs import TaskSpec
from perles.domain.states import TASK
from perles.store.events import journal
from perles.tasks.fan_out import for_each


def columns(task: TaskSpec, workflow_id: str) -> dict[str, Any]:
    """The row of a task that has not begun."""
    return {
        "workflow_id": workflow_id,
        "key": task.key,
        "title": task.name,
        "body": task.body,
        "status": TASK.states[0],
        "assignee": task.assignee,
        "run": task.run,
        "env": journal.encode(dict(task.env)),
        "timeout": task.timeout,
        "retries": task.retries,
        "worker": task.worker,
        "inputs": journal.encode(dict(task.inputs)),
        "execution": journal.encode(_execution(task, workflow_id)),
        "condition": task.when,
        "stage": int(task.last),
    }


def _execution(task: TaskSpec, workflow_id: str) -> dict[str, Any]:
    """How it is run; what it shares within its workflow is a limit that no other one names."""
    shares = {f"{workflow_id}/{name}": number for name, number in task.shares.items()}
    limits = {**task.execution.limits, **shares}
    how = replace(task.execution, limits=limits, outputs=task.outputs).stored()
    return how if task.fan_out is None else {**how, **for_each(task.fan_out)}
