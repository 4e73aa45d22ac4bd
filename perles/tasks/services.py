"""Services among the tasks: which there are, who needs them, and what their begin and end mean.

A service is in progress as long as its process is wanted. `serving_since` says that it is ready:
then tasks that wait for it may begin as if it were done.
"""

from typing import Any, Final

from perles.domain.services import AGENT_TYPE, MARK, Ready
from perles.domain.states import GONE_AGENTS, OPEN_TASK_STATES, TASK
from perles.fabric import messages
from perles.store.events import journal
from perles.store.expressions import ColumnElement, bindparam, literal_column, select, update
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import IS_SERVICE, Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import graph, retrying
from perles.tasks.attempts import take_from_worker
from perles.tasks.reports import has_report
from perles.tasks.stored_execution import execution_of

_is_service: ColumnElement[bool] = literal_column(IS_SERVICE)
OF_RUNNING: Final = Sql(
    select(Task)
    .join(Workflow, Workflow.id == Task.workflow_id)
    .where(_is_service, Workflow.state == "running")
    .order_by(Task.id)
)
"""All services of running workflows, whatever their state."""
AGENTS: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Agent.agent_type == AGENT_TYPE,
        Agent.status.in_(["ready", "working", "failed"]),
        Workflow.state == "running",
    )
    .order_by(Agent.id)
)
_UNREADY: Final = Sql(
    select(TaskDependency.task_id)
    .join(Task, Task.id == TaskDependency.depends_on_id)
    .join(Workflow, Workflow.id == Task.workflow_id)
    .where(
        _is_service,
        Task.status.in_([str(state) for state in OPEN_TASK_STATES]),
        Task.serving_since.is_(None),
        Workflow.state == "running",
    )
)
_NEEDS: Final = Sql(
    select(Task.id)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(
        TaskDependency.depends_on_id == bindparam("task_id"),
        Task.status.in_([str(state) for state in OPEN_TASK_STATES]),
    )
    .limit(1)
)
ANY_WAITS: Final = Sql(
    select(TaskDependency.task_id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"))
    .limit(1)
)
"""Whether any task names it in `after`, over or not."""
_PAUSE: Final = Sql(
    update(Task)
    .where(Task.workflow_id == bindparam("workflow_id_"), Task.serving_since.is_not(None))
    .values(serving_since=None)
)


def ready_of(task: Task) -> Ready | None:
    """When it is ready; None for a task that is no service."""
    return execution_of(task).service


def is_service(task: Task) -> bool:
    """Whether the task is a service."""
    return MARK in task.execution


def is_needed(reader: Reader, task: Task) -> bool:
    """Whether a task that is not over waits for this service, or runs with it."""
    return reader.row(_NEEDS, task_id=task.id) is not None


def waiting_for_one(reader: Reader) -> set[int]:
    """The ids of tasks that need a service which is not ready now."""
    return {row["task_id"] for row in reader.rows(_UNREADY)}


def begin_turn(tx: Tx, agent: Agent) -> None:
    """A turn of an agent begins: where it is that of a service, it is not ready any more."""
    if agent.agent_type == AGENT_TYPE and agent.task_id is not None:
        _withdraw(tx, tx.need(Task, agent.task_id))


def paused(tx: Tx, workflow_id: str) -> None:
    """The workflow is paused: no service of it is ready."""
    tx.run(_PAUSE, workflow_id_=workflow_id)


def passed(task_id: int, attempt: int, seconds: float, tx: Tx) -> None:
    """The service is ready: what waits for it may begin. Where nothing does, it is done."""
    task = tx.need(Task, task_id)
    if task.status != "in_progress" or task.attempt != attempt or task.serving_since is not None:
        return
    tx.update(Task, task_id, serving_since=tx.now)
    ready = ready_of(task)
    told = ready.in_words() if ready is not None else ""
    payload = {"key": task.key, "attempt": attempt, "seconds": round(seconds, 1), "ready": told}
    journal.append(tx, "task.serving", payload, workflow_id=task.workflow_id, task_id=task_id)
    keys = graph.settle(tx, task).ready
    if keys:
        _tell(tx, task, f"service {task.key} is ready; so are now {', '.join(keys)}")


def complete(tx: Tx, task: Task) -> None:
    """Nothing needs the service any more: it is done, and its process is to be ended."""
    take_from_worker(tx, task, "nothing needs it any more")
    changes = {"ended_at": tx.now, "serving_since": None, "exit_code": None}
    fire(tx, TASK, task.id, "complete", changes=changes, payload={"key": task.key})
    graph.settle(tx, task)
    _tell(tx, task, f"service {task.key} is done: nothing needs it any more")


def fail(tx: Tx, task: Task, reason: str) -> None:
    """The attempt has failed: it is tried again as its retries say, or what needs it is skipped."""
    _withdraw(tx, task)
    payload: dict[str, Any] = {"key": task.key, "attempt": task.attempt, "reason": reason}
    payload["exit_code"] = task.exit_code
    may_follow = retrying.may_follow(task)
    take_from_worker(tx, task, reason)
    if may_follow:
        retrying.follow(tx, task, reason, payload)
        return
    graph.fail(tx, task, reason, payload)
    skipped = graph.settle(tx, task).skipped
    also = f"; skipped: {', '.join(skipped)}" if skipped else ""
    _tell(tx, task, f"service {task.key} failed: {reason}{also}")


def why_ended(task: Task, agent: Agent | None, error: str | None) -> str | None:
    """Why the service's process is gone, in words; None where it lives, as far as rows tell."""
    if has_report(task):
        summary = journal.decode(task.outputs).get("summary")
        return f"it ended while it was needed: {summary or f'exit {task.exit_code}'}"
    if agent is None or agent.status in GONE_AGENTS:
        status = "gone" if agent is None else agent.status
        return f"it ended while it was needed: {error or status}"
    return None


def _withdraw(tx: Tx, task: Task) -> None:
    """It is not ready any more: tasks that have not begun wait for it again."""
    if task.serving_since is None:
        return
    tx.update(Task, task.id, serving_since=None)
    for row in tx.rows(graph.DEPENDENTS, task_id=task.id):
        if row["status"] == "ready":
            fire(tx, TASK, row["id"], "block", payload={"key": row["key"], "until": task.key})


def _tell(tx: Tx, task: Task, body: str) -> None:
    messages.tell_coordinator(tx, task.workflow_id, sender="perles", kind="system", body=body)
