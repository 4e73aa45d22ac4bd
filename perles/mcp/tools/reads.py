"""Tools that only look: answered from the database, past the command queue."""

from collections.abc import Mapping
from typing import Any, Final

from perles.domain.provider_choice import label, worker_for
from perles.domain.services import AGENT_TYPE
from perles.domain.states import OPEN_TASK_STATES
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.questions import Question
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.statements import AGENTS_OF

MAX_SUMMARY: Final = 2000
"""Characters of a task's report in the list."""

_TASKS: Final = Sql(
    select(Task).where(Task.workflow_id == bindparam("workflow_id")).order_by(Task.id)
)
_blocker = Task.__table__.alias("blocker")
_DEPENDENCIES: Final = Sql(
    select(TaskDependency.task_id, _blocker.c.key)
    .join(_blocker, _blocker.c.id == TaskDependency.depends_on_id)
    .where(_blocker.c.workflow_id == bindparam("workflow_id"))
    .order_by(_blocker.c.id)
)
_implementer = Agent.__table__.alias("implementer")
_reviewer = Agent.__table__.alias("reviewer")
_ASSIGNED: Final = Sql(
    select(
        Task.key,
        Task.status,
        Task.started_at,
        _implementer.c.name.label("implementer"),
        _reviewer.c.name.label("reviewer"),
    )
    .join(_implementer, _implementer.c.id == Task.implementer_id)
    .outerjoin(_reviewer, _reviewer.c.id == Task.reviewer_id)
    .where(
        Task.workflow_id == bindparam("workflow_id"),
        Task.status.in_([str(status) for status in OPEN_TASK_STATES]),
    )
    .order_by(Task.id)
)
_WORKERS: Final = Sql(
    select(
        Agent.name,
        Agent.status,
        Agent.phase,
        Agent.agent_type,
        Agent.provider,
        Agent.model,
        Agent.blocked,
        select(Turn.error)
        .where(Turn.agent_id == Agent.id)
        .order_by(Turn.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("error"),
        Task.key,
        Agent.provider_session_id.label("session_id"),
        Agent.context_used,
        Agent.context_window,
        Agent.created_at,
        Agent.retired_at,
        Task.status.label("task_status"),
        Task.started_at.label("task_started"),
        _reviewer.c.name.label("reviewer_id"),
        select(func.count())
        .where(Question.agent_id == Agent.id, Question.status == "open")
        .scalar_subquery()
        .label("questions"),
        select(func.count())
        .where(Message.agent_id == Agent.id, Message.status == "queued")
        .scalar_subquery()
        .label("queued"),
    )
    .outerjoin(Task, Task.id == Agent.task_id)
    .outerjoin(_reviewer, _reviewer.c.id == Task.reviewer_id)
    .where(Agent.workflow_id == bindparam("workflow_id"), Agent.role == "worker")
    .order_by(Agent.id)
)


def list_tasks(reader: Reader, caller: Caller, arguments: Any) -> dict[str, Any]:
    """The workflow and its tasks in plan order."""
    workflow = reader.need(Workflow, caller.workflow_id)
    after: dict[int, list[str]] = {}
    for row in reader.rows(_DEPENDENCIES, workflow_id=workflow.id):
        after.setdefault(row[0], []).append(row[1])
    tasks = reader.all(Task, _TASKS, workflow_id=workflow.id)
    agents = {agent.id: agent for agent in reader.all(Agent, AGENTS_OF, workflow_id=workflow.id)}
    return {
        "workflow": {
            "id": workflow.id,
            "name": workflow.name,
            "state": workflow.state,
            "max_workers": workflow.max_workers,
        },
        "tasks": [
            _task(task, after.get(task.id, []), workflow, agents)
            for task in tasks
            if arguments.status in (None, task.status)
        ],
    }


def _task(
    task: Task, after: list[str], workflow: Workflow, agents: Mapping[int, Agent]
) -> dict[str, Any]:
    outputs = journal.decode(task.outputs)
    how = journal.decode(task.execution)
    reported = outputs.get("reported_attempt") == task.attempt
    worker = worker_for(
        run=task.run,
        worker=task.worker,
        coordinator=workflow.provider,
        default=label(workflow.worker_provider or workflow.provider, workflow.worker_model),
    )
    return {
        "key": task.key,
        "name": task.title,
        "status": task.status,
        "assignee": task.assignee,
        "after": after,
        "attempt": task.attempt,
        "retries": task.retries,
        "exit_code": task.exit_code,
        "reported": task.status in ("in_progress", "committing") and reported,
        "reviewer": _reviews_it(task, agents),
        "denials": task.denials,
        "blocked": _blocked(task, agents),
        "failure": task.failure,
        "tolerated": bool(task.tolerated),
        "when": task.condition,
        "waits_until": task.held_until,
        "service": "service" in how,
        "limits": list(how.get("limits", {})),
        "review": how.get("review") or None,
        "role": how.get("role") or None,
        "outputs": list(how.get("outputs", {}).values()),
        "worker": worker,
        "summary": str(outputs.get("summary", ""))[:MAX_SUMMARY],
    }


def _reviews_it(task: Task, agents: Mapping[int, Agent]) -> str | None:
    """Who reviews the task now."""
    found = agents.get(task.reviewer_id or 0)
    return None if found is None or found.task_id != task.id else found.name


def _blocked(task: Task, agents: Mapping[int, Agent]) -> str | None:
    """Why a worker that has the task cannot go on."""
    for id in (task.implementer_id, task.reviewer_id):
        found = agents.get(id or 0)
        if found is not None and found.task_id == task.id and found.blocked is not None:
            return found.blocked[:MAX_SUMMARY]
    return None


def query_worker_state(reader: Reader, caller: Caller, arguments: Any) -> dict[str, Any]:
    """The workers, and which of them can take a task, failed or are retired."""
    rows = reader.rows(_WORKERS, workflow_id=caller.workflow_id)
    return {
        "workers": [
            {
                "worker_id": row["name"],
                "status": row["status"],
                "phase": row["phase"],
                "agent_type": row["agent_type"] or None,
                "task_id": row["key"],
                "queue_size": row["queued"],
                "waits_for_user": bool(row["questions"]),
                "provider": label(row["provider"], row["model"]),
                "error": row["error"],
                "session_id": row["session_id"],
                "context_usage": _usage(row["context_used"], row["context_window"]),
                "started_at": row["created_at"],
                "retired_at": row["retired_at"],
                "task_status": row["task_status"],
                "task_started": row["task_started"],
                "reviewer_id": row["reviewer_id"],
                "blocked": row["blocked"] and row["blocked"][:MAX_SUMMARY],
            }
            for row in rows
            if arguments.worker_id in (None, row["name"])
            and arguments.task_id in (None, row["key"])
        ],
        "ready_workers": [row["name"] for row in rows if _can_take(row)],
        "failed_workers": [row["name"] for row in rows if row["status"] == "failed"],
        "retired_workers": [row["name"] for row in rows if row["status"] == "retired"],
        "tasks": {
            row["key"]: {
                "task_id": row["key"],
                "implementer": row["implementer"],
                "reviewer": row["reviewer"],
                "status": row["status"],
                "started_at": row["started_at"],
            }
            for row in reader.rows(_ASSIGNED, workflow_id=caller.workflow_id)
        },
    }


def _usage(used: int | None, window: int | None) -> str | None:
    """`27k/200k (13%)`, as far as its CLI told it."""
    if not used or not window:
        return None
    return f"{used // 1000}k/{window // 1000}k ({100 * used // window}%)"


def _can_take(row: Any) -> bool:
    free = row["phase"] == "idle" and row["key"] is None
    is_service = row["agent_type"] == AGENT_TYPE
    return free and not is_service and row["status"] in ("ready", "working")
