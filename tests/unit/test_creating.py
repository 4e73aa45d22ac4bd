"""What a spec may say, and what is changed of a workflow afterwards: each refusal in its words."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.access.origin import Origin
from perles.config.home import Paths
from perles.config.model import Config
from perles.domain import commands
from perles.domain.commands import Label, Rename, Set
from perles.domain.errors import NotFoundError, UsageError, WrongStateError
from perles.domain.specs import Plan, TaskSpec, WorkflowSpec, Worktree
from perles.store.events import journal
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.workflows import naming, worktree
from perles.workflows.commands import append_command, append_for_engine
from perles.workflows.create import prepare, preview
from perles.workflows.inbox import insert_acks
from perles.workflows.settings import change
from tests.integration.health_world import HealthWorld

ME = Origin(uid=1, pid=2, tty=None, agent=None)
PIPELINE = """\
name: p
tasks:
  - {key: a, run: "true"}
  - {key: b, prompt: "do it", worker: claude, after: a}
"""
REVIEWED = """\
name: p
tasks:
  - {key: a, prompt: "do it", worker: claude, review: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline, and a program that passes for a CLI."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "r.yaml").write_text(REVIEWED)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def _prepare(folder: Path, file: str = "p.yaml", **values: Any) -> Any:
    given = {"template_id": "pipeline", "args": {"file": str(folder / file)}, **values}
    spec = WorkflowSpec(**{"work_dir": str(folder), **given})
    environ = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return prepare(spec, Paths(folder / "home"), Config(), environ)


def test_a_spec_that_is_right_is_prepared_and_nothing_is_written(folder: Path) -> None:
    found = _prepare(folder, name="mine", workers=3)

    assert (found.name, found.workers, found.work_dir) == ("mine", 3, folder)
    assert [task.key for task in found.plan.tasks] == ["a", "b"]
    assert found.staff.coordinator == "builtin"
    assert not (folder / "home").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"priority": "hihg"}, "cannot use priority 'hihg'"),
        ({"token_budget": -1}, "below 0"),
        ({"cost_budget": float("nan")}, "cannot use this cost budget"),
        ({"cost_budget": float("inf")}, "cannot use this cost budget"),
        ({"on": ["no label"]}, "cannot run on 'no label'"),
        ({"workers": 0}, "cannot use 0 workers: it must be 1 to 99"),
        ({"workers": 100}, "cannot use 100 workers"),
        ({"work_dir": "/no/such/folder"}, "no such folder; make it"),
        ({"work_dir": "/tmp/\udc80"}, "cannot use work_dir"),
        ({"labels": {"a": ""}}, "both sides need 1 to"),
        ({"labels": {f"k{n}": "v" for n in range(1000)}}, "cannot add 1000 labels"),
        ({"labels": {"a": "x\x1b"}}, "control characters"),
        ({"name": "  "}, "cannot use this name"),
        ({"name": "a\nb"}, "control characters"),
        ({"worktree": False, "git_branch": "x"}, "without a worktree"),
        ({"worktree": True}, "git"),
        ({"tasks": ["nothing"]}, "nothing"),
    ],
)
def test_a_spec_that_is_wrong_is_refused(folder: Path, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        _prepare(folder, **values)

    assert said in str(refused.value)


def test_who_reviews_is_another_worker(folder: Path) -> None:
    with pytest.raises(UsageError, match="another one reviews task a; give it 2 or more"):
        _prepare(folder, "r.yaml", workers=1)
    assert _prepare(folder, "r.yaml", workers=2).workers == 2


def test_a_preview_tells_who_does_each_task(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    args = {"file": str(folder / "p.yaml")}
    spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(folder))

    rows = preview(spec, Paths(folder / "home"), Config())

    assert [(row["key"], row["who"]) for row in rows] == [("a", "true"), ("b", "claude")]


def test_a_setup_comes_before_all_other_tasks() -> None:
    tasks = (
        TaskSpec(key="a", name="a", run="x"),
        TaskSpec(key="b", name="b", run="x", after=("a",)),
    )
    plan = Plan(template_id="t", name="t", tasks=tasks)

    made = worktree.with_setup(plan, Worktree(setup="make deps"))

    assert [(task.key, task.after) for task in made.tasks] == [
        ("setup", ()),
        ("a", ("setup",)),
        ("b", ("a",)),
    ]
    assert made.tasks[0].run == "make deps"
    assert worktree.with_setup(plan, Worktree()) is plan


def test_a_goal_is_told_of_the_setup_and_a_task_of_that_name_is_refused() -> None:
    wish = Worktree(setup="make deps")
    goal = Plan(template_id="goal", name="g", tasks=(), goal="tidy up")
    taken = Plan(template_id="t", name="t", tasks=(TaskSpec(key="setup", name="s", run="x"),))

    assert worktree.with_setup(goal, wish).goal.endswith("have this command run once: make deps")
    with pytest.raises(UsageError, match="there is a task 'setup'; rename it"):
        worktree.with_setup(taken, wish)


# What is changed of one that is there.


def _changed(world: HealthWorld) -> list[dict[str, Any]]:
    query = "SELECT payload FROM events WHERE type = 'workflow.changed' ORDER BY seq"
    found = [journal.decode(row[0]) for row in world.connection.execute(query)]
    return [{name: one[name] for name in one if name != "v"} for one in found]


def test_a_change_tells_what_was_before(world: HealthWorld) -> None:
    id = world.request(1)

    new = world.write(lambda tx: change(tx, id, Set(priority="high", token_budget=9)))

    assert new == {"priority": "high", "token_budget": 9}
    row = world.reader.need(Workflow, id)
    assert (row.priority, row.token_budget) == (2, 9)
    before = {"priority": "normal", "token_budget": 0}
    assert _changed(world) == [{**new, "before": before}]


def test_a_change_of_nothing_is_none(world: HealthWorld) -> None:
    id = world.request(1)

    assert world.write(lambda tx: change(tx, id, Set())) == {}
    assert _changed(world) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Set(priority="urgent"), "cannot use priority 'urgent'"),
        (Set(token_budget=-1), "must be 0 .no limit. or more"),
        (Set(cost_budget=float("inf")), "must be 0 .no limit. or more"),
        (Set(token_budget=2**63), "2.63 - 1"),
        (Set(token_budget=99), "100 are used already"),
        (Set(cost_budget=0.5), "1.5 are used already"),
    ],
)
def test_values_that_cannot_be_change_nothing(world: HealthWorld, wanted: Set, said: str) -> None:
    id = world.request(1)
    world.write(lambda tx: tx.update(Workflow, id, tokens_used=100, cost_usd=1.5))

    with pytest.raises(UsageError, match=said):
        world.write(lambda tx: change(tx, id, wanted))

    assert _changed(world) == []


def test_no_limit_is_one_that_can_always_be_had(world: HealthWorld) -> None:
    id = world.request(1, token_budget=50)
    world.write(lambda tx: tx.update(Workflow, id, tokens_used=100))

    world.write(lambda tx: change(tx, id, Set(token_budget=0)))

    assert world.reader.need(Workflow, id).token_budget == 0


def test_what_has_ended_is_not_changed(world: HealthWorld) -> None:
    id = world.request(1)
    world.connection.execute("UPDATE workflows SET state = 'stopped' WHERE id = ?", (id,))

    with pytest.raises(WrongStateError):
        world.write(lambda tx: change(tx, id, Set(priority="high")))


def test_labels_are_hung_on_and_taken_off(world: HealthWorld) -> None:
    id = world.request(1)

    world.write(lambda tx: naming.label(tx, id, Label(add={"a": "1", "b": "2"})))
    done = world.write(lambda tx: naming.label(tx, id, Label(add={"c": "3"}, remove=("a",))))
    renamed = world.write(lambda tx: naming.rename(tx, id, "  new name "))

    assert done == {"labels": {"b": "2", "c": "3"}}
    assert renamed == {"name": "new name"}
    assert world.reader.need(Workflow, id).name == "new name"
    assert _changed(world)[-1] == {"name": "new name", "before": {"name": id}}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Rename(name="x" * 1000), "cannot use this name"),
        (Label(add={"a": ""}), "both sides need"),
        (Set(priority="urgent"), "cannot use priority"),
    ],
)
def test_a_command_that_cannot_succeed_is_not_queued(
    world: HealthWorld, wanted: commands.Command, said: str
) -> None:
    id = world.request(1)

    with pytest.raises(UsageError, match=said):
        world.write(lambda tx: append_command(tx, id, wanted, ME))

    assert world.connection.execute("SELECT count(*) FROM commands").fetchone()[0] == 0


def test_a_command_for_the_engine_belongs_to_no_workflow(world: HealthWorld) -> None:
    reload = commands.Reload()
    ids = [world.write(partial(append_for_engine, command=reload, origin=by)) for by in (None, ME)]

    rows = [world.reader.need(Command, id) for id in ids]
    assert [(row.workflow_id, row.kind, row.status) for row in rows] == [
        (None, "reload", "queued")
    ] * 2
    assert [row.origin is None for row in rows] == [True, False]


# The inbox.


def _event(world: HealthWorld, type: str) -> int:
    id = world.request(1)
    world.write(lambda tx: journal.append(tx, type, {"text": "x"}, workflow_id=id))
    return int(world.connection.execute("SELECT max(seq) FROM events").fetchone()[0])


def test_an_entry_is_acknowledged_once_however_often_it_is_named(world: HealthWorld) -> None:
    first, second = _event(world, "user.notification"), _event(world, "workflow.failed")

    assert world.write(lambda tx: insert_acks(tx, [first, first], ME)) == 1
    assert world.write(lambda tx: insert_acks(tx, [first, second], ME)) == 1


@pytest.mark.parametrize(
    ("type", "said"),
    [
        ("task.waiting_for_user", "perles approve, perles deny"),
        ("question.asked", "perles questions, perles answer"),
    ],
)
def test_what_waits_for_an_answer_is_not_acknowledged(
    world: HealthWorld, type: str, said: str
) -> None:
    good, waits = _event(world, "user.notification"), _event(world, type)

    with pytest.raises(UsageError, match=said):
        world.write(lambda tx: insert_acks(tx, [good, waits], ME))

    assert world.write(lambda tx: insert_acks(tx, [good], ME)) == 1  # all, or none


@pytest.mark.parametrize("type", ["workflow.started", None])
def test_what_is_not_in_the_inbox_cannot_be_acknowledged(
    world: HealthWorld, type: str | None
) -> None:
    seq = 999 if type is None else _event(world, type)

    with pytest.raises(NotFoundError, match="perles inbox shows the numbers"):
        world.write(lambda tx: insert_acks(tx, [seq], ME))
