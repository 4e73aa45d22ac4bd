"""Creating a workflow: a checked spec, the plan of its template, one transaction."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perles.access.origin import Origin
from perles.agents.provider import find
from perles.config.files import repo_of
from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.node_words import is_node_name
from perles.domain.plain import is_text
from perles.domain.secrecy import texts_of
from perles.domain.spec_types import check_types
from perles.domain.specs import Plan, WorkflowSpec
from perles.domain.states import PRIORITIES
from perles.store.events import journal
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow, WorkflowLabel
from perles.store.transaction import Tx
from perles.tasks.graph import unblock
from perles.tasks.plan_rows import columns
from perles.templates.catalog import Catalog
from perles.templates.selection import Selection, select
from perles.workflows import worktree
from perles.workflows.naming import check_labels, checked_name
from perles.workflows.roles import Staff, check_money, choose, goal_plan, with_roles
from perles.workspace.creator_environment import capture
from perles.workspace.dotenv import read_dotenv


class Prepared(NamedTuple):
    """A checked spec with its plan."""

    spec: WorkflowSpec
    plan: Plan
    name: str
    work_dir: Path
    workers: int
    staff: Staff
    surroundings: Mapping[str, Any]
    paths: Paths
    own: worktree.Choice | None


def prepare(
    spec: WorkflowSpec,
    paths: Paths,
    config: Config | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Prepared:
    """Check everything about a spec. Nothing is written. Raises `UsageError`."""
    check_types(spec)
    work_dir = _work_dir(spec.work_dir)
    if spec.priority not in PRIORITIES:
        raise UsageError(
            f"cannot use priority {spec.priority!r}{nearest(spec.priority, PRIORITIES)}; "
            f"it is one of {', '.join(PRIORITIES)}"
        )
    _check_budgets(spec)
    check_labels(spec.labels)
    _check_on(spec.on)
    config = config or Config()
    if spec.goal is not None and not spec.template_id:
        plan = goal_plan(spec.goal)
    else:
        args = spec.args if spec.goal is None else {**spec.args, "goal": spec.goal}
        found = catalog(paths, work_dir, config)
        plan = found.plan(spec.template_id, args, name=spec.name)
    plan = select(plan, Selection(spec.tasks, spec.from_tasks, spec.skip_tasks))
    own = worktree.chosen(spec, plan, config.worktrees, work_dir)
    if own is not None:
        plan = worktree.with_setup(plan, own.wish)
    plan = with_roles(plan, config.providers)
    observer = config.team.observer_enabled
    staff = choose(spec, plan, config.providers, environ, observer=observer)
    policy = config.resource_policy
    if spec.cost_budget or policy.cost_budget:
        providers = config.providers
        check_money(
            staff,
            plan.tasks,
            lambda name, role: find(name, providers.of(name, role)),
            policy.prices,
        )
    check_files(plan, work_dir)
    workers = _workers(spec, plan)
    surroundings = capture(environ, config.environment.env_capture)
    surroundings["providers"] = config.providers.text or None
    name = checked_name(spec.name or plan.name)
    return Prepared(spec, plan, name, work_dir, workers, staff, surroundings, paths, own)


def _check_budgets(spec: WorkflowSpec) -> None:
    if spec.token_budget < 0:
        raise UsageError("cannot use a token budget below 0; 0 means no limit")
    if not 0 <= spec.cost_budget < float("inf"):
        raise UsageError("cannot use this cost budget: it is in USD, 0 or more; 0 means no limit")


def _workers(spec: WorkflowSpec, plan: Plan) -> int:
    """How many workers it may have at once. Raises `UsageError`."""
    workers = plan.workers if spec.workers is None else spec.workers
    if not 1 <= workers <= 99:
        raise UsageError(f"cannot use {workers} workers: it must be 1 to 99")
    reviewed = next((task.key for task in plan.tasks if task.execution.review), None)
    if reviewed is not None and workers < 2:
        raise UsageError(
            f"cannot run with 1 worker: another one reviews task {reviewed}; give it 2 or more"
        )
    return workers


def _check_on(labels: Sequence[str]) -> None:
    for label in labels:
        if not is_node_name(label):
            raise UsageError(
                f"cannot run on {label!r}: labels of nodes are letters, digits and . _ - between "
                "them; perles nodes shows which there are"
            )


def check_files(plan: Plan, work_dir: Path) -> None:
    """Raise `UsageError`, with the place that names it, for a file of variables that is wrong."""
    seen: set[str] = set()
    for task in plan.tasks:
        for name in (one for one in task.execution.dotenv if one not in seen):
            seen.add(name)
            try:
                read_dotenv(work_dir / name)
            except UsageError as error:
                raise UsageError(f"cannot use {task.execution.places[name]}: {error}") from None


def preview(spec: WorkflowSpec, paths: Paths, config: Config) -> list[dict[str, Any]]:
    """The tasks that a spec makes, in order, and who does each. Raises `UsageError`."""
    prepared = prepare(spec, paths, config)
    return [
        {
            "key": task.key,
            "name": task.name,
            "after": list(task.after),
            "who": task.run or task.assignee or task.worker or prepared.staff.worker,
        }
        for task in prepared.plan.tasks
    ]


def catalog(paths: Paths, work_dir: Path, config: Config | None = None) -> Catalog:
    """The templates that somebody in `work_dir` can use."""
    repo = repo_of(work_dir)
    return Catalog(
        documents=(config or Config()).templates.document_path,
        user=paths.user_workflows_dir(),
        project=None if repo is None else repo / ".perles" / "workflows",
    )


def insert_workflow(tx: Tx, workflow_id: str, prepared: Prepared, origin: Origin) -> str:
    """Store the workflow, its labels, its tasks and their events; its id."""
    spec, plan = prepared.spec, prepared.plan
    for variables in (spec.args, *(task.env for task in plan.tasks)):
        tx.secrets.tell(workflow_id, texts_of(variables))
    tx.insert(
        Workflow,
        id=workflow_id,
        template_id=plan.template_id,
        name=prepared.name,
        state="pending",
        priority=PRIORITIES.index(spec.priority),
        goal=plan.goal,
        args=journal.encode(dict(spec.args)),
        definition=journal.encode(_definition(plan)),
        provider=prepared.staff.coordinator,
        model=prepared.staff.coordinator_model,
        worker_provider=prepared.staff.worker,
        worker_model=prepared.staff.worker_model,
        roles=journal.encode(dict(prepared.staff.roles)),
        max_workers=prepared.workers,
        token_budget=spec.token_budget,
        cost_budget=spec.cost_budget,
        surroundings=journal.encode(prepared.surroundings),
        placement=journal.encode(list(spec.on)) if spec.on else None,
        **_where(prepared, workflow_id),
    )
    for key, value in spec.labels.items():
        tx.insert(WorkflowLabel, workflow_id=workflow_id, key=key, value=value)
    payload = {
        "name": prepared.name,
        "template": plan.template_id,
        "tasks": len(plan.tasks),
        "by": origin.payload(),
    }
    journal.append(tx, "workflow.created", payload, workflow_id=workflow_id)
    _insert_tasks(tx, workflow_id, plan)
    tx.secrets.forget(workflow_id)  # from now on its rows tell
    return workflow_id


def _definition(plan: Plan) -> dict[str, Any]:
    """Where the plan is from, and how its coordinator is told to lead it."""
    told = {"instructions": plan.instructions} if plan.instructions else {}
    return {**plan.definition, **told}


def _where(prepared: Prepared, workflow_id: str) -> dict[str, Any]:
    """The columns that say where agents work: as it is, or in a worktree made at the start."""
    own = prepared.own
    if own is None:
        return {"work_dir": str(prepared.work_dir)}
    path = own.path(prepared.paths, workflow_id)
    return {
        "work_dir": str(path / own.ground.subfolder),
        "worktree_enabled": 1,
        "worktree_path": prepared.paths.stored(path),
        "repository": str(own.ground.top),
        "branch": own.branch(workflow_id),
        "base_branch": own.ground.base,
        "base_commit": own.ground.commit,
        "worktree_files": journal.encode(worktree.stored(own.wish, prepared.plan.merge)),
    }


def _insert_tasks(tx: Tx, workflow_id: str, plan: Plan) -> None:
    ids: dict[str, int] = {}
    for task in plan.tasks:
        ids[task.key] = tx.insert(Task, **columns(task, workflow_id))
        journal.append(
            tx,
            "task.created",
            {"key": task.key, "name": task.name, "after": list(task.after)},
            workflow_id=workflow_id,
            task_id=ids[task.key],
        )
    for task in plan.tasks:
        for blocker in task.blockers:
            tx.insert(TaskDependency, task_id=ids[task.key], depends_on_id=ids[blocker])
    unblock(tx, workflow_id)


def _work_dir(given: str | None) -> Path:
    work_dir = Path(os.path.abspath(os.path.expanduser(given or os.curdir)))
    if not work_dir.is_dir():
        raise UsageError(f"cannot work in {work_dir}: no such folder; make it, or give another one")
    if not is_text(str(work_dir)):
        raise UsageError(f"cannot work in {str(work_dir)!r}: the name is not UTF-8; rename it")
    return work_dir
