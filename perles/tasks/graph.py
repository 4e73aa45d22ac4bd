"""What the end of one task means for the tasks that wait for it.

Which task runs then is decided by `perles.domain.flow`; here its rows are found, by indexes, so
that the end of a task costs what depends on it, however large the plan is.
"""

from typing import Any, Final, NamedTuple

from perles.domain import flow
from perles.domain.condition_tree import Value
from perles.domain.fan_out import NoListError
from perles.domain.flow import Decision, Ended
from perles.domain.states import BEGUN_TASK_STATES, OPEN_TASK_STATES, TASK
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import and_, bindparam, delete, exists, literal_column, or_, select
from perles.store.reader import Reader
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import fan_out, questions
from perles.tasks.stored_execution import execution_of

_OPEN: Final = [str(status) for status in OPEN_TASK_STATES]
_upstream = Task.__table__.alias("upstream")
_other = TaskDependency.__table__.alias("other")
_BLOCKS: Final = and_(
    _upstream.c.serving_since.is_(None),
    or_(
        _upstream.c.status.in_(_OPEN),
        and_(Task.condition.is_(None), _upstream.c.status != "done", _upstream.c.tolerated == 0),
    ),
)
"""What keeps a task waiting; one with a condition waits for the end alone, whichever it is.

A service that is ready keeps nobody waiting.
"""
_WAITS: Final = (Task.status == "pending", Task.held_until.is_(None))
_IS_FREE: Final = ~exists(
    select(_other.c.depends_on_id)
    .join(_upstream, _upstream.c.id == _other.c.depends_on_id)
    .where(_other.c.task_id == Task.id, _BLOCKS)
    # Plans are mostly done in their order: of very many blockers the last ones are open.
    .order_by(_other.c.depends_on_id.desc())
    .limit(1)
)
NEWLY_FREE: Final = Sql(
    select(Task.id)
    .where(Task.workflow_id == WORKFLOW_ID, *_WAITS, Task.stage == 0, _IS_FREE)
    .order_by(Task.id)
)
"""Of a whole plan; the tasks that come last are not looked at."""
_FREED: Final = Sql(
    select(Task.id, Task.stage)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"), *_WAITS, _IS_FREE)
    .order_by(Task.id)
)
_LAST: Final = Sql(
    select(Task.id)
    .where(Task.workflow_id == WORKFLOW_ID, *_WAITS, Task.stage == literal_column("1"), _IS_FREE)
    .order_by(Task.id)
)
# Written as they are, so that the index of the tasks that come last serves.
_HAS_LAST: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == WORKFLOW_ID, Task.stage == literal_column("1"), Task.status == "pending"
    )
    .limit(1)
)
_HAS_OPEN: Final = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == WORKFLOW_ID,
        Task.stage == 0,
        Task.status.in_(_OPEN),
        Task.serving_since.is_(None),  # tasks that come last may need a service
    )
    .order_by(Task.id.desc())
    .limit(1)
)
_HAS_FAILED: Final = Sql(
    select(Task.id, Task.key, Task.status, Task.tolerated, Task.outputs)
    .where(Task.workflow_id == WORKFLOW_ID, Task.status == "failed", Task.tolerated == 0)
    .limit(1)
)
_REMOVE: Final = Sql(delete(TaskDependency).where(TaskDependency.task_id == bindparam("task_id_")))
DEPENDENTS: Final = Sql(
    select(Task.id, Task.key, Task.status, Task.condition)
    .join(TaskDependency, TaskDependency.task_id == Task.id)
    .where(TaskDependency.depends_on_id == bindparam("task_id"))
    .order_by(Task.id)
)
_BLOCKERS: Final = Sql(
    select(
        Task.key,
        Task.status,
        or_(Task.tolerated == 1, Task.serving_since.is_not(None)).label("tolerated"),
        Task.outputs,
    )
    .join(TaskDependency, TaskDependency.depends_on_id == Task.id)
    .where(TaskDependency.task_id == bindparam("task_id"))
    .order_by(Task.id)
)


class Settled(NamedTuple):
    """What the end of a task led to, by key."""

    ready: list[str]
    skipped: list[str]


def unblock(tx: Tx, workflow_id: str) -> list[str]:
    """Decide about every pending task that waits for nothing any more; the keys of those ready."""
    walk = _Walk(tx, workflow_id)
    walk.decide_all(NEWLY_FREE)
    return walk.finish().ready


def settle(tx: Tx, ended: Task) -> Settled:
    """A task is over: decide about the tasks that waited for it, and so on. No other is read."""
    walk = _Walk(tx, ended.workflow_id)
    walk.went(ended.id)
    return walk.finish()


def fail(tx: Tx, task: Task, reason: str, payload: dict[str, Any]) -> None:
    """The task failed for good; whether that is tolerated, its plan said."""
    execution = execution_of(task)
    changes: dict[str, Any] = {"failure": reason, "ended_at": tx.now, "held_until": None}
    if execution.continue_on_error:
        changes |= {"tolerated": 1, "failure": f"{reason} (continue_on_error: the plan goes on)"}
        payload = {**payload, "tolerated": True}
    fire(tx, TASK, task.id, "fail", changes=changes, payload=payload)


def skip(tx: Tx, task_id: int, decision: Decision, *, tolerated: bool = False) -> None:
    """The task is not run, and why is kept with it."""
    task = tx.need(Task, task_id)
    why = {"because": decision.root, "how": decision.how}
    changes = {
        "failure": decision.reason,
        "ended_at": tx.now,
        "held_until": None,
        "tolerated": int(tolerated),
        "outputs": journal.encode({**journal.decode(task.outputs), "skipped": why}),
    }
    payload = {"key": task.key, "reason": decision.reason, **why}
    fire(tx, TASK, task_id, "skip", changes=changes, payload=payload)


def remove_dependencies(tx: Tx, task_id: int) -> None:
    """The task waits for no other one."""
    tx.run(_REMOVE, task_id_=task_id)


def values(reader: Reader, workflow_id: str, name: str) -> Value:
    """What `tasks.KEY.PART` or `args.NAME` is in a workflow now; None for what is not there."""
    kind, _, rest = name.partition(".")
    if kind == "args":
        found = journal.decode(reader.need(Workflow, workflow_id).args).get(rest)
        return None if found is None else str(found)
    key, _, part = rest.partition(".")
    task = reader.first(Task, statements.TASK_KEYED, workflow_id=workflow_id, key=key)
    if task is None:
        return None
    if part == "status":
        return task.status
    if part == "exit_code":
        return None if task.exit_code is None else float(task.exit_code)
    outputs = journal.decode(task.outputs)
    if part == "output":
        return str(outputs.get("output", "")).strip()
    value = outputs.get("values", {}).get(part.removeprefix("outputs."))
    return None if value is None else str(value)


class _Walk:
    """Follows what one end leads to, until nothing more does."""

    def __init__(self, tx: Tx, workflow_id: str) -> None:
        self._tx = tx
        self._workflow_id = workflow_id
        self._ready: list[str] = []
        self._skipped: list[str] = []
        self._asks = False

    def went(self, task_id: int) -> None:
        """A task is over: skip what cannot run now, and decide about what waited for it last."""
        waiting = [task_id]
        while waiting:
            ended = self._tx.need(Task, waiting.pop(0))
            passed = ended.tolerated or ended.serving_since is not None
            one = _ended(ended.key, ended.status, passed, ended.outputs)
            if not one.passed:
                waiting += self._skip_dependents(ended.id, one)
            for row in self._tx.rows(_FREED, task_id=ended.id):
                if row["stage"] == 0 or not self._has_open():
                    waiting += self._decide(row["id"])

    def decide_all(self, which: Sql) -> None:
        """Decide about all tasks that a statement finds."""
        for row in self._tx.rows(which, workflow_id=self._workflow_id):
            for over in self._decide(row["id"]):
                self.went(over)

    def finish(self) -> Settled:
        """What was decided; with the tasks that come last, where all others are over."""
        about = {"workflow_id": self._workflow_id}
        if self._tx.row(_HAS_LAST, **about) is not None and not self._has_open():
            self.decide_all(_LAST)
        if self._asks:
            questions.ask_people(self._tx, self._workflow_id)
        elif self._skipped:
            questions.note_waiting(self._tx, self._workflow_id)
        return Settled(self._ready, self._skipped)

    def _has_open(self) -> bool:
        return self._tx.row(_HAS_OPEN, workflow_id=self._workflow_id) is not None

    def _skip_dependents(self, task_id: int, blocker: Ended) -> list[int]:
        """Skip the tasks that need its success; their rows."""
        found = []
        for row in self._tx.rows(DEPENDENTS, task_id=task_id):
            # What runs with a service that failed has an end of its own.
            is_open = row["status"] in OPEN_TASK_STATES and row["status"] not in BEGUN_TASK_STATES
            if is_open and row["condition"] is None:
                skip(self._tx, row["id"], flow.because(blocker))
                self._skipped.append(row["key"])
                found.append(row["id"])
        return found

    def _decide(self, task_id: int) -> list[int]:
        """Decide about a task that waits for nothing any more; it, where it is over by that."""
        tx, task = self._tx, self._tx.need(Task, task_id)
        if task.status != "pending":
            return []
        decision = flow.decide(
            task.key,
            task.condition,
            () if task.condition is None else self._before(task),
            lambda name: values(tx, self._workflow_id, name),
        )
        if decision.what == flow.RUN:
            standing = fan_out.Standing.of(task)
            return self._make_ready(task) if standing is None else self._fan_out(task, standing)
        if decision.what == flow.FAIL:
            fail(tx, task, decision.reason, {"key": task.key, "reason": decision.reason})
        else:
            skip(tx, task_id, decision)
            self._skipped.append(task.key)
        return [task_id]

    def _make_ready(self, task: Task) -> list[int]:
        fire(self._tx, TASK, task.id, "unblock")
        self._ready.append(task.key)
        self._asks = self._asks or task.assignee == "human"
        return []

    def _fan_out(self, task: Task, standing: fan_out.Standing) -> list[int]:
        """Make the tasks for a task's items; once these are over the task is, too."""
        tx, made = self._tx, standing.made
        if made is None:
            try:
                new = fan_out.make(tx, task)
            except NoListError as error:
                reason = f"cannot run for each item: {error}"
                fail(tx, task, reason, {"key": task.key, "reason": reason})
                return [task.id]
            for one in new:
                self._make_ready(tx.need(Task, one))
            made = len(new)
            if made:
                return []
        fan_out.gather(tx, tx.need(Task, task.id))
        return [task.id]

    def _before(self, task: Task) -> list[Ended]:
        """What the task waited for; one that comes last waited for all others."""
        rows = self._tx.rows(_BLOCKERS, task_id=task.id)
        if task.stage:
            if task.condition != flow.ON_FAILURE:
                return []
            rows = self._tx.rows(_HAS_FAILED, workflow_id=self._workflow_id)
        return [_ended(row["key"], row["status"], row["tolerated"], row["outputs"]) for row in rows]


def _ended(key: str, status: str, tolerated: bool | int, outputs: str) -> Ended:
    why = journal.decode(outputs).get("skipped") if status == "skipped" else None
    return Ended.of(key, status, tolerated=bool(tolerated), skipped=why)
