"""A workflow goes on with a corrected file: what is unchanged and done stays, what changed runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, NamedTuple

from perles.domain.records import dataclass
from perles.domain.specs import Plan, TaskSpec
from perles.store import statements
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.tasks import Task
from perles.tasks.fan_out import Standing, parent_of
from perles.tasks.kept_on_retry import has_settled
from perles.tasks.plan_rows import columns
from perles.templates.selection import keys_named

KEEP: Final = "keep"
RUN: Final = "run"
ADD: Final = "add"
DROP: Final = "drop"
_WAS: Final = "was "
_HOW: Final = ("limits", "retry", "grace")
"""Of how a command is run: what changes nothing about what it comes to."""
_PARTS: Final = {
    "run": "its command",
    "body": "its text",
    "env": "its variables",
    "worker": "its worker",
    "person": "who does it",
    "execution": "how it is run",
    "condition": "when it runs",
    "stage": "when it runs",
    "inputs": "its inputs",
    "after": "what it waits for",
}


class Change(NamedTuple):
    """What becomes of a task, and why: it is kept, run, added or dropped."""

    key: str
    name: str
    what: str
    why: str


@dataclass(slots=True)
class Correction:
    """The tasks of a workflow beside those of a corrected file."""

    changes: list[Change] = field(default_factory=list)
    staying: dict[str, Task] = field(default_factory=dict)
    """The rows of the tasks that stay as they ended."""
    standing: dict[str, Task] = field(default_factory=dict)
    """The rows of tasks that stand for items which stay."""
    items: list[Task] = field(default_factory=list)
    """The rows of the tasks for these items."""
    dropped: list[Task] = field(default_factory=list)


def compare(reader: Reader, old_id: str, plan: Plan, begin: Sequence[str]) -> Correction:
    """What a corrected plan changes. Raises `UsageError` where `begin` names no task of it."""
    rows = reader.all(Task, statements.TASKS_OF, workflow_id=old_id)
    old = {row.key: row for row in rows if parent_of(row) is None}
    waited = _waited(reader, old_id, rows)
    new = {task.key: task for task in plan.tasks}
    named = {key for name in begin for key in keys_named(plan, name)}
    found = Correction()
    why = {key: _why(task, old.get(key), waited, named) for key, task in new.items()}
    _cascade(plan.tasks, why)
    for key, task in new.items():
        row = old.get(key)
        if row is None:
            found.changes.append(Change(key, task.name, ADD, "is new"))
        elif why[key]:
            found.changes.append(Change(key, task.name, RUN, why[key]))
        else:
            found.changes.append(Change(key, task.name, KEEP, row.status))
            found.staying[key] = row
    _keep_items(found, rows, old, new, why)
    found.dropped = [row for key, row in old.items() if key not in new]
    for row in found.dropped:
        found.changes.append(Change(row.key, row.title, DROP, f"is not in the file; {row.status}"))
    return found


def _waited(reader: Reader, old_id: str, rows: Sequence[Task]) -> dict[str, set[str]]:
    """By key, what each task waited for, but for the tasks of its own items."""
    by_id = {row.id: row for row in rows}
    found: dict[str, set[str]] = {row.key: set() for row in rows}
    for edge in reader.rows(statements.DEPENDENCIES_OF, workflow_id=old_id):
        task, blocker = by_id[edge["task_id"]], by_id[edge["depends_on_id"]]
        if parent_of(blocker) != task.key:
            found[task.key].add(blocker.key)
    return found


def _why(
    task: TaskSpec, row: Task | None, waited: Mapping[str, set[str]], named: Collection[str]
) -> str:
    """Why a task runs by itself; "" where nothing says that it must."""
    if row is None:
        return "is new"
    changed = _changed(task, row, waited[row.key])
    if changed:
        return f"changed: {', '.join(changed)}"
    if task.key in named:
        return "is where to begin"
    if task.last:
        return "comes last"
    return "" if has_settled(row) else f"{_WAS}{row.status}"


def _changed(task: TaskSpec, row: Task, waited: set[str]) -> list[str]:
    new = _definition(columns(task, row.workflow_id), set(task.blockers))
    old = _definition({name: getattr(row, name) for name in _COLUMNS}, waited)
    return list(dict.fromkeys(told for part, told in _PARTS.items() if new[part] != old[part]))


_COLUMNS: Final = (
    *("run", "body", "env", "worker", "assignee", "execution", "condition", "stage", "inputs"),
)


def _definition(values: Mapping[str, Any], after: set[str]) -> dict[str, Any]:
    """What decides what a task comes to, by part."""
    execution = {
        name: value
        for name, value in journal.decode(values["execution"]).items()
        if name not in _HOW
    }
    condition = values["condition"]
    if "for_each" in execution:
        made = dict(execution["for_each"])
        if made.pop("made", None) is not None:
            condition = made.pop("when", None)
        made.pop("max_parallel", None)
        execution["for_each"] = made
    return {
        "run": values["run"],
        "body": values["body"],
        "env": journal.decode(values["env"]),
        "worker": values["worker"],
        "person": values["assignee"] == "human",
        "execution": execution,
        "condition": condition,
        "stage": values["stage"],
        "inputs": journal.decode(values["inputs"]),
        "after": after,
    }


def _cascade(tasks: Sequence[TaskSpec], why: dict[str, str]) -> None:
    """What waits for a task that runs again runs, too: it may come to something else.

    A service that is done with runs again where a task does that needs it.
    """
    waiting: dict[str, list[str]] = {}
    services = {task.key for task in tasks if task.execution.service is not None}
    for task in tasks:
        for blocker in task.blockers:
            waiting.setdefault(blocker, []).append(task.key)
    again = [key for key, reason in why.items() if reason]
    while again:
        key = again.pop()
        if key in services and why[key].startswith(_WAS):
            continue  # it only stood by
        for follower in waiting.get(key, ()):
            if not why[follower]:
                why[follower] = f"comes after {key}, which runs"
                again.append(follower)
    for key in services:
        if not why[key] and any(why[follower] for follower in waiting.get(key, ())):
            why[key] = "is needed by a task that runs"


def _keep_items(
    found: Correction,
    rows: Sequence[Task],
    old: Mapping[str, Task],
    new: Mapping[str, TaskSpec],
    why: Mapping[str, str],
) -> None:
    """Keep the tasks of items whose list stays, where the task that made them is unchanged."""
    for key, task in new.items():
        row = old.get(key)
        standing = None if row is None else Standing.of(row)
        if task.fan_out is None or row is None or standing is None or standing.made is None:
            continue
        is_same = not why[key] or why[key].startswith(_WAS)
        if is_same and task.fan_out.task in found.staying:
            found.standing[key] = row
    for row in rows:
        if parent_of(row) in found.standing:
            found.items.append(row)
            what = KEEP if has_settled(row) else RUN
            told = row.status if what == KEEP else f"was {row.status}"
            found.changes.append(Change(row.key, row.title, what, told))
