"""Retrying: a new workflow that goes on where a failed or stopped one ended."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from perles.access.origin import Origin
from perles.domain.errors import WrongStateError
from perles.domain.states import RETRIABLE, TASK, WorkflowState
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import select
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow, WorkflowLabel
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.tasks import fan_out
from perles.tasks.graph import unblock
from perles.tasks.kept_on_retry import kept

_WORKFLOW_COLUMNS: Final = (
    *("template_id", "name", "priority", "work_dir", "goal", "args", "definition", "provider"),
    *("model", "worker_provider", "worker_model", "surroundings", "roles"),
    *("max_workers", "worktree_enabled", "base_branch", "branch", "worktree_path", "token_budget"),
    *("repository", "base_commit", "worktree_files", "pull_request"),
    *("cost_budget", "placement"),
)
TASK_COLUMNS: Final = (
    "key",
    "title",
    "body",
    "run",
    "env",
    "timeout",
    "retries",
    "inputs",
    "worker",
    "execution",
    "condition",
    "stage",
)

LABELS_OF: Final = Sql(
    select(WorkflowLabel)
    .where(WorkflowLabel.workflow_id == WORKFLOW_ID)
    .order_by(WorkflowLabel.key)
)


class Kept(NamedTuple):
    """A configuration of providers, as a workflow keeps it; None for the defaults."""

    text: str | None


DONE_COLUMNS: Final = (
    *("status", "assignee", "attempt", "exit_code", "outputs", "started_at", "ended_at"),
    *("failure", "tolerated"),
)


def insert_retry(
    tx: Tx, old_id: str, new_id: str, origin: Origin, providers: Kept | None = None
) -> str:
    """Insert a pending copy of the workflow `old_id`; its id. What was done stays done.

    Its agents' provider sessions are taken up when it starts. Its providers are set up as the
    old one's were, unless `providers` has another configuration of them. Raises
    `WrongStateError` for a workflow that is neither failed nor stopped.
    """
    old = tx.need(Workflow, old_id)
    insert_copy(tx, old, new_id, surroundings_with(old, providers))
    stay = _copy_tasks(tx, old_id, new_id)
    return release_copy(tx, old, new_id, origin, {"kept": stay})


def release_copy(
    tx: Tx,
    old: Workflow,
    new_id: str,
    origin: Origin,
    about: Mapping[str, Any],
    dropped: Iterable[Task] = (),
) -> str:
    """Write the events of a copy whose tasks are inserted, and make ready what can begin; its id.

    `about` goes to its first event; `dropped` are tasks of the old one that it does not have.
    """
    by = origin.payload()
    payload = {"name": old.name, "template": old.template_id, "retry_of": old.id, **about}
    journal.append(tx, "workflow.created", {**payload, "by": by}, workflow_id=new_id)
    for row in dropped:
        told = {"key": row.key, "name": row.title, "status": row.status}
        journal.append(tx, "task.dropped", told, workflow_id=new_id)
    journal.append(tx, "workflow.retried", {"as": new_id, "by": by}, workflow_id=old.id)
    unblock(tx, new_id)
    tx.secrets.forget(new_id)  # its rows had not told them yet
    return new_id


def surroundings_with(old: Workflow, providers: Kept | None) -> dict[str, Any]:
    """The column of a copy that is set up with other providers."""
    if providers is None:
        return {}
    surroundings = {**journal.decode(old.surroundings), "providers": providers.text}
    return {"surroundings": journal.encode(surroundings)}


def insert_copy(
    tx: Tx,
    old: Workflow,
    new_id: str,
    changes: Mapping[str, Any],
    states: Collection[str] = RETRIABLE,
) -> None:
    """Insert a pending workflow like an old one, without its tasks. Raises `WrongStateError`."""
    if old.state not in states:
        raise WrongStateError("workflow", old.id, old.state, "retry")
    values = {name: getattr(old, name) for name in _WORKFLOW_COLUMNS} | dict(changes)
    tx.insert(Workflow, id=new_id, state=WorkflowState.PENDING, retried_from=old.id, **values)
    for label in tx.all(WorkflowLabel, LABELS_OF, workflow_id=old.id):
        tx.insert(WorkflowLabel, workflow_id=new_id, key=label.key, value=label.value)


def _copy_tasks(tx: Tx, old_id: str, new_id: str) -> int:
    """Copy tasks and what they wait for; how many stay as they ended."""
    tasks = tx.all(Task, statements.TASKS_OF, workflow_id=old_id)
    after: dict[int, list[int]] = {}
    for row in tx.rows(statements.DEPENDENCIES_OF, workflow_id=old_id):
        after.setdefault(row["task_id"], []).append(row["depends_on_id"])
    staying = kept(tasks, after)
    left_out, renewed = fan_out.forgotten(tasks, staying)
    ids: dict[int, int] = {}
    for task in (one for one in tasks if one.id not in left_out):
        stays = task.id in staying
        values: dict[str, Any] = {"status": TASK.states[0]}
        for name in (*TASK_COLUMNS, *(DONE_COLUMNS if stays else ())):
            values[name] = getattr(task, name)
        if task.assignee == "human":
            values["assignee"] = "human"
        values |= renewed.get(task.id, {})
        ids[task.id] = tx.insert(Task, workflow_id=new_id, **values)
        payload = {"key": task.key, "name": task.title, "kept": stays}
        journal.append(tx, "task.created", payload, workflow_id=new_id, task_id=ids[task.id])
    for task_id, blockers in after.items():
        for blocker in blockers:
            if task_id in ids and blocker in ids:
                tx.insert(TaskDependency, task_id=ids[task_id], depends_on_id=ids[blocker])
    return len(staying - left_out)
