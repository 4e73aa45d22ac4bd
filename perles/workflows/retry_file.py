"""Retrying with a corrected file: the copy of a workflow that follows the new plan."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.access.origin import Origin
from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.errors import UsageError, WrongStateError
from perles.domain.secrecy import texts_of
from perles.domain.specs import Plan, WorkflowSpec, Worktree
from perles.domain.states import RETRIABLE, WorkflowState
from perles.store.events import journal
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks.fan_out import MADE_AT_RUN_TIME, parent_of
from perles.tasks.plan_rows import columns
from perles.workflows import worktree
from perles.workflows.correction import Correction, compare
from perles.workflows.create import Prepared, prepare
from perles.workflows.retry import DONE_COLUMNS, TASK_COLUMNS, insert_copy, release_copy

STATES: Final = (*RETRIABLE, WorkflowState.COMPLETED)
"""From where a workflow can go on with a corrected file."""
_PIPELINE: Final = "pipeline"


class Wanted(NamedTuple):
    """A corrected file, and values for its parameters beside the old ones."""

    file: Path
    args: Mapping[str, str]


def prepared_for(old: Workflow, wanted: Wanted, paths: Paths, config: Config) -> Prepared:
    """The plan of the corrected file, for the workflow that it corrects. Nothing is written.

    Raises `UsageError` for what is wrong with it, `WrongStateError` for a workflow that goes on.
    """
    if old.state not in STATES:
        raise WrongStateError("workflow", old.id, old.state, "retry")
    if old.template_id != _PIPELINE:
        raise UsageError(
            f"cannot correct {old.id} by a file: it is no pipeline, but one of {old.template_id}"
        )
    given = {name: text for name, text in journal.decode(old.args).items() if name != "file"}
    chosen = journal.decode(old.definition).get("selection", {})
    spec = WorkflowSpec(
        template_id=_PIPELINE,
        args={"file": str(wanted.file), **given, **wanted.args},
        work_dir=_folder(old),
        worktree=False,
        tasks=tuple(chosen.get("only", ())),
        from_tasks=tuple(chosen.get("from", ())),
        skip_tasks=tuple(chosen.get("skip", ())),
    )
    found = prepare(spec, paths, config)
    if not old.worktree_enabled:
        return found
    wish = found.plan.worktree or Worktree()
    wish = replace(wish, setup=wish.setup or config.worktrees.setup)
    return found._replace(plan=worktree.with_setup(found.plan, wish))


def _folder(old: Workflow) -> str:
    """Where its files are; its repository while there is no worktree of it."""
    is_there = not old.worktree_enabled or Path(old.work_dir).is_dir()
    return old.work_dir if is_there else str(old.repository)


def insert_corrected(
    tx: Tx, old_id: str, new_id: str, origin: Origin, prepared: Prepared, begin: Sequence[str]
) -> str:
    """Insert a pending copy of the workflow `old_id` with the corrected plan; its id.

    Raises `UsageError` where `begin` names no task, and `WrongStateError`.
    """
    old = tx.need(Workflow, old_id)
    plan, spec = prepared.plan, prepared.spec
    for variables in (spec.args, *(task.env for task in plan.tasks)):
        tx.secrets.tell(new_id, texts_of(variables))
    correction = compare(tx, old_id, plan, begin)
    changes: dict[str, Any] = {
        "args": journal.encode(dict(spec.args)),
        "definition": journal.encode(dict(plan.definition)),
        "max_workers": _workers(old, plan),
    }
    if prepared.staff.coordinator != old.provider:
        changes |= {
            "provider": prepared.staff.coordinator,
            "model": prepared.staff.coordinator_model,
            "worker_provider": prepared.staff.worker,
            "worker_model": prepared.staff.worker_model,
        }
    insert_copy(tx, old, new_id, changes, STATES)
    _insert_tasks(tx, new_id, plan, correction)
    about = {"kept": len(correction.staying), "file": str(plan.definition.get("source", ""))}
    return release_copy(tx, old, new_id, origin, about, correction.dropped)


def _workers(old: Workflow, plan: Plan) -> int:
    """As many as before, where the file says what it said."""
    before = journal.decode(old.definition).get("pipeline", {}).get("workers")
    now = plan.definition.get("pipeline", {}).get("workers")
    return old.max_workers if before == now else plan.workers


def _insert_tasks(tx: Tx, new_id: str, plan: Plan, correction: Correction) -> None:
    ids: dict[str, int] = {}
    why = {change.key: change for change in correction.changes}
    for task in plan.tasks:
        values = columns(task, new_id)
        stays = correction.staying.get(task.key)
        if stays is not None:
            values |= {name: getattr(stays, name) for name in DONE_COLUMNS}
        if task.key in correction.standing:
            values |= _made(correction.standing[task.key], values)
        ids[task.key] = _insert(tx, new_id, values, why[task.key])
    for row in correction.items:
        names = (*TASK_COLUMNS, *(DONE_COLUMNS if why[row.key].what == "keep" else ()))
        values = {"status": "pending", "workflow_id": new_id}
        values |= {name: getattr(row, name) for name in names}
        if row.assignee == "human":
            values["assignee"] = "human"
        ids[row.key] = _insert(tx, new_id, values, why[row.key])
        parent = str(parent_of(row))
        tx.insert(TaskDependency, task_id=ids[parent], depends_on_id=ids[row.key])
    for task in plan.tasks:
        for blocker in task.blockers:
            tx.insert(TaskDependency, task_id=ids[task.key], depends_on_id=ids[blocker])
    sources = {task.key: task.fan_out.task for task in plan.tasks if task.fan_out is not None}
    for row in correction.items:
        source = sources[str(parent_of(row))]
        tx.insert(TaskDependency, task_id=ids[row.key], depends_on_id=ids[source])


def _made(row: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """What tells that its items have their tasks."""
    new, old = journal.decode(values["execution"]), journal.decode(row.execution)
    for name in MADE_AT_RUN_TIME:
        if name in old["for_each"]:
            new["for_each"][name] = old["for_each"][name]
    return {"execution": journal.encode(new), "condition": row.condition}


def _insert(tx: Tx, new_id: str, values: Mapping[str, Any], change: Any) -> int:
    task_id: int = tx.insert(Task, **values)
    kept = change.what == "keep"
    payload = {"key": values["key"], "name": values["title"], "kept": kept}
    if not kept:
        payload["because"] = change.why
    journal.append(tx, "task.created", payload, workflow_id=new_id, task_id=task_id)
    return task_id
