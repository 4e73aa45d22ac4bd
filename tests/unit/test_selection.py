"""A part of a plan: which tasks run, and what they wait for then."""

from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.domain.specs import Plan
from perles.templates.pipeline import read_pipeline
from perles.templates.selection import Selection, select

FILE = """\
name: x
tasks:
- {key: fetch, run: a}
- {key: lint, run: a}
- {key: build, run: a, after: fetch}
- {key: test, run: a, after: build, matrix: {py: ['1', '2']}}
- {key: pack, run: 'echo {{ tasks.build.output }}', after: test}
- {key: deploy, run: a, after: [pack, lint], when: tasks.lint.status == 'done'}
finally: [{key: clean, run: a}]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "p.yaml").write_text(FILE)
    return read_pipeline(tmp_path / "p.yaml")


def _after(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {task.key: task.after for task in plan.tasks}


def test_without_a_choice_all_tasks_run(plan: Plan) -> None:
    assert select(plan, Selection()) is plan


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (["build"], "fetch build"),
        (["test"], "fetch build test-1 test-2"),
        (["test-2", "lint"], "fetch lint build test-2"),
        (["*t*-1"], "fetch build test-1"),
        (["deploy"], "fetch lint build test-1 test-2 pack deploy"),
    ],
)
def test_named_tasks_run_with_what_they_need(plan: Plan, wanted: list[str], keys: str) -> None:
    assert list(_after(select(plan, Selection(only=wanted)))) == [*keys.split(), "clean"]


def test_from_a_task_on_it_runs_and_what_comes_after(plan: Plan) -> None:
    assert _after(select(plan, Selection(begin=["build"], skip=["deploy"]))) == {
        "build": (),
        "test-1": ("build",),
        "test-2": ("build",),
        "pack": ("test-1", "test-2"),
        "clean": (),
    }


def test_what_waited_for_a_task_that_is_left_out_waits_for_what_that_waited_for(
    plan: Plan,
) -> None:
    found = _after(select(plan, Selection(skip=["test*", "clean"])))

    assert found["pack"] == ("build",)
    assert "clean" not in found
    found = _after(select(plan, Selection(skip=["test-1"])))
    assert found["pack"] == ("build", "test-2")


def test_what_is_left_out_is_kept_with_the_definition(plan: Plan) -> None:
    told = select(plan, Selection(only=["build"])).definition["selection"]

    assert told == {"only": ["build"], "from": [], "skip": [], "left_out": 5}


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(only=["biuld"]), "cannot find task 'biuld'.*'build'"),
        (Selection(skip=["x*"]), r"cannot find task 'x\*'"),
        (Selection(skip=["build"]), "cannot leave out task build: pack uses what it tells"),
        (Selection(begin=["test"]), "cannot leave out task build: pack uses what it tells"),
        (Selection(skip=["lint"]), "cannot leave out task lint: deploy uses what it tells"),
        (Selection(only=["lint"], skip=["lint"]), "everything is left out"),
        (Selection(only=["lint"], begin=["build"]), "everything is left out"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(plan: Plan, selection: Selection, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        select(plan, selection)


def test_the_task_that_has_the_items_cannot_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "name: x\ntasks:\n- {key: list, run: ls}\n"
        "- {key: each, after: list, for_each: '{{ tasks.list.output }}', run: 'x {{ item }}'}\n"
    )
    plan = read_pipeline(tmp_path / "p.yaml")

    with pytest.raises(UsageError, match="each uses what it tells"):
        select(plan, Selection(skip=["list"]))
