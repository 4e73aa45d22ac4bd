"""The coordinator's tools for one task: to read all of it, and to change it before it is begun."""

from typing import Annotated, Any, Final

import msgspec

from perles.domain.errors import ToolError
from perles.mcp.host import Caller
from perles.mcp.tools.tool import Arguments, Prose, Tool, Word
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, or_, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task, TaskComment, TaskDependency
from perles.store.sql import Sql

MAX_COMMENTS: Final = 50
"""The newest comments of a task that are told."""

_other = Task.__table__.alias("other")
_BEFORE: Final = Sql(
    select(_other.c.key)
    .join(TaskDependency, TaskDependency.depends_on_id == _other.c.id)
    .where(TaskDependency.task_id == bindparam("task_id"))
    .order_by(_other.c.id)
)
_BEHIND: Final = Sql(
    select(_other.c.key)
    .join(TaskDependency, TaskDependency.task_id == _other.c.id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"))
    .order_by(_other.c.id)
)
_COMMENTS: Final = Sql(
    select(TaskComment)
    .where(TaskComment.task_id == bindparam("task_id"))
    .order_by(TaskComment.id.desc())
    .limit(MAX_COMMENTS)
)
_AGENTS: Final = Sql(
    select(Agent.id, Agent.name).where(
        or_(Agent.id == bindparam("implementer"), Agent.id == bindparam("reviewer"))
    )
)


class GetTaskStatus(Arguments):
    """`task_id` is the task's key."""

    task_id: Word


class UpdateTask(Arguments):
    """What is not given stays. `after` replaces the keys of all tasks that must be done first."""

    task_id: Word
    title: Word | None = None
    body: Prose | None = None
    after: Annotated[list[Word], msgspec.Meta(max_length=100)] | None = None


def get_task_status(reader: Reader, caller: Caller, arguments: Any) -> dict[str, Any]:
    """All of one task. Raises `ToolError` where there is none of this key."""
    key = arguments.task_id
    task = reader.first(Task, statements.TASK_KEYED, workflow_id=caller.workflow_id, key=key)
    if task is None:
        raise ToolError(f"cannot find task {key!r}: list_tasks shows the keys")
    who = {"implementer": task.implementer_id, "reviewer": task.reviewer_id}
    names = {row["id"]: row["name"] for row in reader.rows(_AGENTS, **who)}
    outputs = journal.decode(task.outputs)
    comments = reader.rows(_COMMENTS, task_id=task.id)
    return {
        "key": task.key,
        "name": task.title,
        "body": task.body,
        "run": task.run,
        "status": task.status,
        "assignee": task.assignee,
        "implementer": names.get(task.implementer_id or 0),
        "reviewer": names.get(task.reviewer_id or 0),
        "after": [row[0] for row in reader.rows(_BEFORE, task_id=task.id)],
        "waited_for_by": [row[0] for row in reader.rows(_BEHIND, task_id=task.id)],
        "attempt": task.attempt,
        "retries": task.retries,
        "exit_code": task.exit_code,
        "failure": task.failure,
        "report": outputs.get("summary"),
        "reported": outputs.get("reported_attempt") == task.attempt,
        "earlier": outputs.get("earlier"),
        "verdict": task.verdict,
        "denials": task.denials,
        "receipt": journal.decode(task.receipt) or None,
        "comments": [
            {
                "author": row["author"],
                "kind": row["kind"],
                "attempt": row["attempt"],
                "review": row["round"],
                "body": row["body"],
                "at": row["created_at"],
            }
            for row in reversed(comments)
        ],
        "created_at": task.created_at,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
    }


TASK_TOOLS: Final = (
    Tool(
        "get_task_status",
        "All of one task: body, report, what it waits for and what waits for it, attempts, who "
        "had it before, its reviews, what it committed, comments.",
        GetTaskStatus,
        get_task_status,
    ),
    Tool(
        "update_task",
        "Change title, body or after of a task that nobody has yet (pending or ready).",
        UpdateTask,
    ),
)
