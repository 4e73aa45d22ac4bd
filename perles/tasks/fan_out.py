"""for_each at run time: the tasks for the items of a list that an earlier task made.

The task that stands for them is pending until all of them are over; then it is done itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from perles.domain.execution import Execution, language
from perles.domain.fan_out import FanOut, Item, NoListError, items_of, keys_for, shown
from perles.domain.plain import is_one_line
from perles.domain.quoting import quoted
from perles.domain.states import TASK
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select
from perles.store.reader import Reader
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.templates.outputs import fill_command
from perles.templates.values import Values, fill_values, is_guard, variables

MAX_TASKS: Final = 20_000
"""Tasks of one workflow, those for items counted."""
MAX_NAME: Final = 200
MAX_OUTPUT: Final = 16 * 1024
"""Characters of what the tasks for the items printed, all together."""
MADE_AT_RUN_TIME: Final = ("made", "when")
"""What is kept beside where the items are, once they have their tasks."""
_MARK: Final = '"for_each"'
_FEEDS: Final = Sql(
    select(Task.id)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(
        TaskDependency.depends_on_id == bindparam("task_id"), func.instr(Task.execution, _MARK) > 0
    )
    .limit(1)
)
_COUNT: Final = Sql(select(func.count()).where(Task.workflow_id == WORKFLOW_ID))
_KEYS_FROM: Final = Sql(
    select(Task.key).where(
        Task.workflow_id == WORKFLOW_ID, Task.key > bindparam("low"), Task.key < bindparam("high")
    )
)
_MADE_BY: Final = Sql(
    select(Task)
    .join(TaskDependency, TaskDependency.depends_on_id == Task.id)
    .where(TaskDependency.task_id == bindparam("task_id"))
    .order_by(Task.id)
)


class Standing(NamedTuple):
    """What a task that stands for others keeps: where the items are, and how many it made."""

    source: FanOut
    made: int | None

    @classmethod
    def of(cls, task: Task) -> "Standing | None":
        """As the row has it; None for a task that stands for itself."""
        kept = journal.decode(task.execution).get("for_each")
        return None if kept is None else cls(FanOut.of(kept), kept.get("made"))


def for_each(source: FanOut) -> dict[str, Any]:
    """What the row of a task that stands for others keeps."""
    return {"for_each": source.stored()}


def feeds(reader: Reader, task_id: int) -> bool:
    """Whether another task waits for the items that this one prints."""
    return reader.row(_FEEDS, task_id=task_id) is not None


def parent_of(task: Task) -> str | None:
    """The key of the task that made this one for an item; None for any other task."""
    found = journal.decode(task.execution).get("made_by")
    return None if found is None else str(found)


def make(tx: Tx, task: Task) -> list[int]:
    """Make the tasks for the items, pending; which they are. Raises `NoListError`."""
    standing = Standing.of(task)
    assert standing is not None
    source = tx.first(
        Task, statements.TASK_KEYED, workflow_id=task.workflow_id, key=standing.source.task
    )
    items = _items(source, standing.source)
    total = int(tx.value(_COUNT, workflow_id=task.workflow_id))
    if total + len(items) > MAX_TASKS:
        raise NoListError(f"the workflow would have more than {MAX_TASKS} tasks")
    about = {"workflow_id": task.workflow_id}
    taken = [row["key"] for row in tx.rows(_KEYS_FROM, **about, low=task.key, high=task.key + ".")]
    keys = keys_for(task.key, items, taken)
    rows = [_row(task, key, item) for key, item in zip(keys, items, strict=True)]
    made = [_insert(tx, task, source, row) for row in rows]
    kept = {**standing.source.stored(), "made": len(made), "when": task.condition}
    execution = journal.encode({**journal.decode(task.execution), "for_each": kept})
    # Its condition was about whether to begin; from now on it waits for its items to succeed.
    tx.update(Task, task.id, execution=execution, condition=None)
    payload = {"key": task.key, "items": len(made), "tasks": keys[:20]}
    journal.append(tx, "task.fanned_out", payload, workflow_id=task.workflow_id, task_id=task.id)
    return made


def gather(tx: Tx, task: Task) -> None:
    """All items are over and well: so is the task that stands for them."""
    made = [one for one in tx.all(Task, _MADE_BY, task_id=task.id) if parent_of(one) == task.key]
    outputs = [str(journal.decode(one.outputs).get("output", "")) for one in made]
    said = "1 task done" if len(made) == 1 else f"{len(made)} tasks done"
    kept = {
        **journal.decode(task.outputs),
        "summary": said,
        "output": "\n".join(filter(None, outputs))[:MAX_OUTPUT],
    }
    changes = {"ended_at": tx.now, "outputs": journal.encode(kept)}
    payload = {"key": task.key, "items": len(made)}
    fire(tx, TASK, task.id, "gather", changes=changes, payload=payload)


def _items(source: Task | None, wanted: FanOut) -> list[Item]:
    name = f"tasks.{wanted.task}.{wanted.field}"
    if source is None or source.status != "done":
        status = "gone" if source is None else source.status
        raise NoListError(f"{name} has no items: the task {wanted.task} is {status}")
    outputs = journal.decode(source.outputs)
    if wanted.field == "output":
        text = str(outputs.get("output", ""))
        if outputs.get("cut"):
            raise NoListError(f"{name} is too long to be read as a list; print less")
    else:
        text = outputs.get("values", {}).get(wanted.field.partition(".")[2])
        if text is None:
            raise NoListError(f"{name} is not there: {wanted.task} wrote no such output")
    try:
        return items_of(str(text), wanted.limit)
    except NoListError as error:
        raise NoListError(f"{name} is no list to go through: {error}") from None


def _insert(tx: Tx, parent: Task, source: Task | None, row: Mapping[str, Any]) -> int:
    task_id: int = tx.insert(Task, **row)
    payload = {"key": row["key"], "name": row["title"], "after": [], "made_by": parent.key}
    journal.append(tx, "task.created", payload, workflow_id=parent.workflow_id, task_id=task_id)
    tx.insert(TaskDependency, task_id=parent.id, depends_on_id=task_id)
    if source is not None:
        tx.insert(TaskDependency, task_id=task_id, depends_on_id=source.id)
    return task_id


def _row(parent: Task, key: str, item: Item) -> dict[str, Any]:
    """The task for one item. Raises `NoListError` where the item cannot stand where it is to."""
    execution = _execution(parent, item)
    values = _without_nul(item)
    env = {name: fill_values(text, values.get) for name, text in journal.decode(parent.env).items()}
    if parent.run is not None:
        env = {**_variables(parent.run, execution, values, env), **env}
    return {
        "workflow_id": parent.workflow_id,
        "key": key,
        "title": _title(parent, item),
        "body": fill_values(parent.body, lambda path: _in_prompt(values.get(path))),
        "status": TASK.states[0],
        "assignee": "human" if parent.assignee == "human" else None,
        "run": parent.run,
        "env": journal.encode(env),
        "timeout": parent.timeout,
        "retries": parent.retries,
        "worker": parent.worker,
        "execution": journal.encode({**execution.stored(), "made_by": parent.key}),
        "stage": parent.stage,
        "inputs": parent.inputs,
    }


def _variables(
    run: str, execution: Execution, values: Values, env: Mapping[str, str]
) -> dict[str, str]:
    found = variables(run, values)
    filled, _ = fill_command(run, {}, language(execution.program), {*found, *env})
    return {name: text for name, text in found.items() if name in filled or not is_guard(name)}


def _execution(parent: Task, item: Item) -> Execution:
    kept = journal.decode(parent.execution)
    folder = kept.get("dir", "")
    if "{{" in folder:
        folder = fill_values(folder, item.get)
        path = PurePosixPath(folder)
        if path.is_absolute() or ".." in path.parts or not is_one_line(folder):
            raise NoListError(f"dir {folder[:100]!r} of an item is no folder in the work dir")
        kept["dir"] = folder
    standing = Standing.of(parent)
    if standing is not None and standing.source.max_parallel is not None:
        name = f"{parent.workflow_id}/{parent.key}"
        kept["limits"] = {**kept.get("limits", {}), name: standing.source.max_parallel}
    return Execution.of(kept)


def _title(parent: Task, item: Item) -> str:
    """One line, bounded: an item is what another program printed."""
    title = fill_values(parent.title, item.get)
    if title == parent.title:
        title = f"{title} ({shown(item)})"
    line = "".join(letter if is_one_line(letter) else " " for letter in title)
    return " ".join(line.split())[:MAX_NAME] or parent.key


def _in_prompt(text: str | None) -> str | None:
    """An item as an agent reads it: of several lines quoted, on lines of its own."""
    return text if text is None or len(text.splitlines()) < 2 else f"\n{quoted(text)}\n"


def _without_nul(item: Item) -> Values:
    return {path: text.replace("\0", "") for path, text in item.items()}


def forgotten(
    tasks: Sequence[Task], staying: set[int]
) -> tuple[set[int], dict[int, dict[str, Any]]]:
    """What a retry leaves out: the tasks for items of a list that is made anew.

    With them, by task, the columns of the tasks that stand for such items, as they were at first.
    """
    by_key = {task.key: task for task in tasks}
    renewed: dict[int, dict[str, Any]] = {}
    for task in tasks:
        standing = Standing.of(task)
        if standing is None or standing.made is None:
            continue
        source = by_key.get(standing.source.task)
        if source is None or source.id not in staying:
            kept = journal.decode(task.execution)
            execution = journal.encode({**kept, **for_each(standing.source)})
            renewed[task.id] = {"execution": execution, "condition": kept["for_each"].get("when")}
    parents = {task.key for task in tasks if task.id in renewed}
    return {task.id for task in tasks if parent_of(task) in parents}, renewed
