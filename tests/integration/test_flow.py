"""when, continue_on_error and finally: which tasks run after what, and how the workflow ends.

No process is started: tasks end as each test says.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

import pytest

from perles.access.origin import Origin
from perles.config.home import Paths
from perles.domain.clock import ManualClock
from perles.domain.specs import WorkflowSpec
from perles.domain.states import TASK, WORKFLOW
from perles.domain.workflow_filter import WorkflowFilter
from perles.engine.commands.tools.signal_complete import FAILED_TASK_KEYS
from perles.store import statements
from perles.store.database import Database
from perles.store.events import journal
from perles.store.reads import dashboard
from perles.store.reads.overviews import list_workflows
from perles.store.schema.tasks import Task
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import graph
from perles.workflows.create import insert_workflow, prepare
from perles.workflows.retry import insert_retry
from tests.integration.scheduler_world import in_transaction

T = TypeVar("T")
ID = "wf-flow"
ME = Origin(uid=os.getuid(), pid=os.getpid(), tty=None, agent=None)


class Plan:
    """A workflow of a pipeline file, whose tasks end as they are told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = Database(root / "perles.db", ManualClock())
        self.connection = self.database.connect()
        self.order: list[str] = []

    def create(self, tasks: str) -> None:
        file = self.root / "p.yaml"
        file.write_text(f"name: flow\n{dedent(tasks)}")
        args = {"file": str(file)}
        spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(self.root))
        prepared = prepare(spec, Paths(self.root))
        self.write(lambda tx: insert_workflow(tx, ID, prepared, ME))
        self.write(lambda tx: fire(tx, WORKFLOW, ID, "start"))

    def write(self, work: Callable[[Tx], T]) -> T:
        return in_transaction(self.database, self.connection, work)

    def tasks(self, workflow_id: str = ID) -> dict[str, Task]:
        about = {"workflow_id": workflow_id}
        found = self.write(lambda tx: tx.all(Task, statements.TASKS_OF, **about))
        return {task.key: task for task in found}

    def states(self, workflow_id: str = ID) -> dict[str, str]:
        return {key: task.status for key, task in self.tasks(workflow_id).items()}

    def why(self, key: str) -> str | None:
        return self.tasks()[key].failure

    def run(self, codes: Mapping[str, int], printed: Mapping[str, str] | None = None) -> None:
        """Have every task that is ready end, until none is: with exit 0, or as `codes` says."""
        while ready := [task for task in self.tasks().values() if task.status == "ready"]:
            for task in ready:
                self._end(task, codes.get(task.key, 0), (printed or {}).get(task.key, ""))

    def _end(self, task: Task, code: int, output: str) -> None:
        def end(tx: Tx) -> None:
            self.order.append(task.key)
            outputs = {"output": output, "values": {"size": str(len(output))}}
            changes = {"exit_code": code, "outputs": journal.encode(outputs)}
            fire(tx, TASK, task.id, "assign", changes=changes)
            if code:
                graph.fail(tx, tx.need(Task, task.id), f"exit {code}", {"key": task.key})
            else:
                fire(tx, TASK, task.id, "complete")
            graph.settle(tx, task)

        self.write(end)

    @property
    def has_failed(self) -> bool:
        return bool(self.write(lambda tx: tx.rows(FAILED_TASK_KEYS, workflow_id=ID)))


@pytest.fixture
def plan(tmp_path: Path, migrated: Path) -> Iterator[Plan]:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = Plan(tmp_path)
    yield made
    made.connection.close()


DONE, FAILED, SKIPPED = "done", "failed", "skipped"
TABLE = {
    "a failure skips what waits for it": (
        "[{key: a, run: x}, {key: b, run: x, after: a}, {key: c, run: x, after: b}]",
        {"a": 1},
        {"a": FAILED, "b": SKIPPED, "c": SKIPPED},
        True,
    ),
    "a tolerated failure counts as success": (
        "[{key: a, run: x, continue_on_error: true}, {key: b, run: x, after: a}]",
        {"a": 1},
        {"a": FAILED, "b": DONE},
        False,
    ),
    "always runs after success": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: always}]",
        {},
        {"a": DONE, "b": DONE},
        False,
    ),
    "always runs after failure, which stays one": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: always}, {key: c, run: x, after: b}]",
        {"a": 1},
        {"a": FAILED, "b": DONE, "c": DONE},
        True,
    ),
    "always runs after a task that was skipped": (
        "[{key: a, run: x}, {key: b, run: x, after: a}, {key: c, run: x, after: b, when: always}]",
        {"a": 1},
        {"a": FAILED, "b": SKIPPED, "c": DONE},
        True,
    ),
    "on_failure does not run after success": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: on_failure}]",
        {},
        {"a": DONE, "b": SKIPPED},
        False,
    ),
    "on_failure runs after a failure that is further back": (
        "[{key: a, run: x}, {key: b, run: x, after: a}, "
        "{key: c, run: x, after: b, when: on_failure}]",
        {"a": 1},
        {"a": FAILED, "b": SKIPPED, "c": DONE},
        True,
    ),
    "on_failure does not run after a tolerated failure": (
        "[{key: a, run: x, continue_on_error: true}, {key: b, run: x, after: a, when: on_failure}]",
        {"a": 1},
        {"a": FAILED, "b": SKIPPED},
        False,
    ),
    "on_failure does not run where a condition alone was not met": (
        "[{key: a, run: x, when: 1 == 2}, {key: b, run: x, after: a, when: on_failure}]",
        {},
        {"a": SKIPPED, "b": SKIPPED},
        False,
    ),
    "a handler that fails fails the workflow, too": (
        "[{key: a, run: x, continue_on_error: true}, {key: b, run: x, after: a, when: always}]",
        {"a": 1, "b": 1},
        {"a": FAILED, "b": FAILED},
        True,
    ),
    "a condition that is not met skips what waits for the task, and fails nothing": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: tasks.a.output == 'yes'}, "
        "{key: c, run: x, after: b}, {key: d, run: x, after: b, when: always}]",
        {},
        {"a": DONE, "b": SKIPPED, "c": SKIPPED, "d": DONE},
        False,
    ),
    "a condition waits for success where it does not ask how the task ended": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: 1 == 1}]",
        {"a": 1},
        {"a": FAILED, "b": SKIPPED},
        True,
    ),
    "a condition over the status decides itself": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: tasks.a.status == 'failed'}]",
        {"a": 1},
        {"a": FAILED, "b": DONE},
        True,
    ),
    "a condition over the status of one task lets no other one fail": (
        "[{key: a, run: x}, {key: o, run: x}, "
        "{key: b, run: x, after: [a, o], when: tasks.a.status == 'done'}]",
        {"o": 1},
        {"a": DONE, "o": FAILED, "b": SKIPPED},
        True,
    ),
    "a condition over a task further back decides over what was skipped for it": (
        "[{key: a, run: x}, {key: m, run: x, after: a}, "
        "{key: b, run: x, after: m, when: tasks.a.exit_code == 3}]",
        {"a": 3},
        {"a": FAILED, "m": SKIPPED, "b": DONE},
        True,
    ),
    "a condition that cannot be decided fails the task": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: tasks.a.output > 3}, "
        "{key: c, run: x, after: b}]",
        {},
        {"a": DONE, "b": FAILED, "c": SKIPPED},
        True,
    ),
    "a value that a task wrote": (
        "[{key: a, run: x}, {key: b, run: x, after: a, when: tasks.a.outputs.size == 2}, "
        "{key: c, run: x, after: a, when: tasks.a.outputs.other == null}]",
        {},
        {"a": DONE, "b": DONE, "c": DONE},
        False,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_runs_after_what(plan: Plan, name: str) -> None:
    tasks, codes, expected, has_failed = TABLE[name]
    plan.create(f"tasks: {tasks}")
    plan.run(codes, {"a": "hi"})
    assert plan.states() == expected
    assert plan.has_failed == has_failed


def test_a_skipped_task_says_why(plan: Plan) -> None:
    plan.create(
        """
        tasks:
          - {key: a, run: x}
          - {key: b, run: x, after: a, when: tasks.a.exit_code == 7}
          - {key: c, run: x, after: b}
          - {key: d, run: x, after: a, when: on_failure}
        """
    )
    plan.run({})
    assert plan.why("b") == "its condition is not met: tasks.a.exit_code == 7"
    assert plan.why("c") == "b was skipped"
    assert plan.why("d") == "nothing before it failed"


@pytest.mark.parametrize("codes", [{}, {"a": 1}], ids=["success", "failure"])
def test_finally_runs_once_all_others_are_over(plan: Plan, codes: dict[str, int]) -> None:
    plan.create(
        """
        tasks:
          - {key: a, run: x}
          - {key: b, run: x, after: a}
          - {key: c, run: x}
        finally:
          - {key: clean, run: x}
          - {key: tell, run: x, after: clean}
          - {key: alarm, run: x, when: on_failure}
          - {key: praise, run: x, when: tasks.b.status == 'done'}
        """
    )
    assert plan.states()["clean"] == "pending"
    plan.run(codes)
    states = plan.states()
    assert (states["clean"], states["tell"]) == (DONE, DONE)
    assert (states["alarm"], states["praise"]) == ((DONE, SKIPPED) if codes else (SKIPPED, DONE))
    assert plan.order.index("clean") > max(plan.order.index(key) for key in ("a", "c"))
    assert plan.order.index("tell") > plan.order.index("clean")
    assert plan.has_failed == bool(codes)


def test_finally_that_fails_fails_the_workflow(plan: Plan) -> None:
    plan.create("tasks: [{key: a, run: x}]\nfinally: [{key: clean, run: x}]")
    plan.run({"clean": 1})
    assert plan.has_failed


def test_a_retry_keeps_what_was_settled_and_runs_the_rest_again(plan: Plan) -> None:
    plan.create(
        """
        tasks:
          - {key: lint, run: x, continue_on_error: true}
          - {key: build, run: x, after: lint}
          - {key: docs, run: x, after: build, when: tasks.build.output == 'docs'}
          - {key: test, run: x, after: build}
          - {key: report, run: x, after: test, when: always}
          - {key: undo, run: x, after: test, when: on_failure}
        finally:
          - {key: clean, run: x}
        """
    )
    plan.run({"lint": 1, "test": 1})
    plan.write(lambda tx: fire(tx, WORKFLOW, ID, "fail"))
    plan.write(lambda tx: insert_retry(tx, ID, "wf-again", ME))
    assert plan.states("wf-again") == {
        "lint": FAILED,
        "build": DONE,
        "docs": SKIPPED,
        "test": "ready",
        "report": "pending",
        "undo": "pending",
        "clean": "pending",
    }
    assert plan.tasks("wf-again")["lint"].tolerated


def test_a_join_of_very_many_tasks_is_decided_once(plan: Plan) -> None:
    keys = [f"t{number}" for number in range(150)]
    listed = "".join(f"  - {{key: {key}, run: x}}\n" for key in keys)
    plan.create(f"tasks:\n{listed}  - {{key: j, run: x, when: always, after: [{', '.join(keys)}]}}")
    plan.run({"t7": 1, "t149": 1})
    assert plan.order[-1] == "j"
    assert plan.states()["j"] == DONE


def test_a_list_counts_only_failures_that_count(plan: Plan) -> None:
    plan.create(
        "tasks: [{key: a, run: x, continue_on_error: true}, {key: b, run: x}, {key: c, run: x}]"
    )
    plan.run({"a": 1, "b": 1, "c": 0})

    with closing(dbapi.connect(plan.root / "perles.db")) as connection:
        connection.row_factory = dbapi.Row
        (row,) = list_workflows(connection, WorkflowFilter()).rows
        in_dashboard = dashboard.rows(connection, [ID])[ID]

    assert row["tasks"] == {"total": 3, "done": 1, "failed": 1}
    assert (in_dashboard["tasks_failed"], in_dashboard["tasks_tolerated"]) == (2, 1)
