"""update_task: the coordinator changes a task that nobody works on."""

from typing import Any, Final

from perles.domain.errors import ToolError
from perles.domain.states import TASK
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.create_task import tasks_to_wait_for
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.graph import remove_dependencies, unblock

_OPEN: Final = ("pending", "ready")


def handle(call: ToolCall) -> dict[str, Any]:
    """Change title, body or what the task waits for. Raises `ToolError`."""
    tx, task = call.tx, call.task()
    changes = {name: call.args[name] for name in ("title", "body") if call.args.get(name)}
    if not changes and call.args.get("after") is None:
        raise ToolError(f"cannot update task {task.key}: give a title, a body or after")
    if task.status not in _OPEN:
        raise ToolError(f"cannot update task {task.key}: it is {task.status}{_way_on(task)}")
    if task.assignee == "human":
        raise ToolError(f"cannot update task {task.key}: it is the user's to answer")
    if changes:
        tx.update(Task, task.id, **changes)
    told: dict[str, Any] = {"key": task.key, "changed": sorted(changes)}
    if call.args.get("after") is not None:
        told["after"] = _wait_for(call, task)
    about: dict[str, Any] = {
        "workflow_id": task.workflow_id,
        "agent_id": call.agent.id,
        "task_id": task.id,
    }
    journal.append(tx, "task.changed", told, **about)
    unblock(tx, task.workflow_id)
    return {"status": tx.need(Task, task.id).status, "task_id": task.key}


def _way_on(task: Task) -> str:
    """What can be done about it instead."""
    if task.status in ("failed", "skipped"):
        return "; reopen_task first"
    if task.status == "done":
        return "; create_task for what is left"
    return f"; {task.assignee or 'somebody'} has it: send_to_worker tells what changed"


def _wait_for(call: ToolCall, task: Task) -> list[str]:
    """Let the task wait for these, and for no other ones; their keys."""
    tx = call.tx
    there = {
        one.key: one for one in tx.all(Task, statements.TASKS_OF, workflow_id=task.workflow_id)
    }
    after = tasks_to_wait_for(call, there)
    circle = _circle(tx, task, {one.id for one in after})
    if circle is not None:
        raise ToolError(
            f"cannot let task {task.key} wait for {circle}: that one waits for {task.key}, "
            "directly or through others"
        )
    remove_dependencies(tx, task.id)
    for blocker in after:
        tx.insert(TaskDependency, task_id=task.id, depends_on_id=blocker.id)
    if task.status == "ready" and any(one.status != "done" for one in after):
        fire(tx, TASK, task.id, "block")
    return [one.key for one in after]


def _circle(tx: Tx, task: Task, after: set[int]) -> str | None:
    """The key of one of `after` that waits for the task itself; None where there is none."""
    waits_for: dict[int, list[int]] = {}
    for row in tx.rows(statements.DEPENDENCIES_OF, workflow_id=task.workflow_id):
        waits_for.setdefault(row["task_id"], []).append(row["depends_on_id"])
    for first in sorted(after):
        seen, to_see = {first}, [first]
        while to_see:
            new = set(waits_for.get(to_see.pop(), ())) - seen
            seen |= new
            to_see += new
        if task.id in seen:
            return tx.need(Task, first).key
    return None
