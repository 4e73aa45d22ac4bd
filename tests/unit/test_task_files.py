"""Files that list tasks: each form is known by its content, and a wrong one is told its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import UsageError
from perles.domain.execution import Check, Execution
from perles.domain.specs import TaskSpec
from perles.domain.task_export import FORMS, exported
from perles.templates.task_files.read import read_tasks


def tasks(tmp_path: Path, text: str, **more: Any) -> list[TaskSpec]:
    path = tmp_path / "tasks"
    path.write_text(text)
    return read_tasks(path, **more)


def short(found: list[TaskSpec]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(task.key, task.name, task.after) for task in found]


def test_a_checklist_of_markdown(tmp_path: Path) -> None:
    found = tasks(
        tmp_path,
        "# Release 2\n\nSome words.\n\n"
        "- [ ] **Accept empty lists**\n  In `parser.py`.\n\n  - [ ] `[]`\n  - [ ] `[ ]`\n"
        "- [x] Done already\n"
        "* [ ] `docs`: Tell of it (after: Accept empty lists)\n"
        "- a point that is no task\n"
        "```\n- [ ] no task, but code\n```\n",
    )

    assert short(found) == [
        ("accept-empty-lists", "Accept empty lists", ()),
        ("docs", "Tell of it", ("accept-empty-lists",)),
    ]
    assert found[0].body == "Accept empty lists\n\nIn `parser.py`.\n\n- [ ] `[]`\n- [ ] `[ ]`"


def test_numbered_items_wait_for_each_other(tmp_path: Path) -> None:
    found = tasks(tmp_path, "1. [ ] one\n2. [x] two\n3. [ ] three\n- [ ] four\n")

    assert short(found) == [("one", "one", ()), ("three", "three", ("one",)), ("four", "four", ())]


def test_a_list_of_yaml_with_what_a_task_of_a_pipeline_may_say(tmp_path: Path) -> None:
    pattern = TaskSpec(key="p", name="p", execution=Execution(review="complex"))
    found = tasks(
        tmp_path,
        "goal: x\ntasks:\n- Only a title\n"
        "- {title: Second, body: Do it., after: first, check: make test, retries: 2}\n"
        "- {key: first, title: First, done: false, review: simple, provider: claude}\n"
        "- {title: Third, status: done}\n",
        pattern=pattern,
    )

    assert short(found) == [
        ("only-a-title", "Only a title", ()),
        ("second", "Second", ("first",)),
        ("first", "First", ()),
    ]
    assert found[1].body == "Second\n\nDo it."
    assert found[1].execution.check == Check(commands=("make test",))
    assert [task.execution.review for task in found] == ["complex", "complex", "simple"]
    assert (found[1].retries, found[2].worker) == (2, "claude")


def test_issues_of_github(tmp_path: Path) -> None:
    rows = [
        {"number": 12, "title": "Crash", "body": "It crashes.\r\n", "labels": [{"name": "bug"}]},
        {"number": 13, "title": "Docs", "body": "Depends on #12 and #99", "state": "OPEN"},
        {"number": 14, "title": "Old", "state": "closed"},
        {"number": 15, "title": "A pull request", "pull_request": {"url": "x"}},
    ]

    found = tasks(tmp_path, json.dumps(rows))

    assert short(found) == [("issue-12", "Crash", ()), ("issue-13", "Docs", ("issue-12",))]
    assert found[0].body == "Crash\n\nIt crashes.\n\nLabels: bug"


def _beads(id: str, title: str, **more: Any) -> str:
    row = {"id": id, "title": title, "status": "open", "issue_type": "task", **more}
    return json.dumps(row) + "\n"


BEADS = (
    _beads("pr-1", "Login", issue_type="epic")
    + _beads("pr-1.1", "Form", acceptance_criteria="it is there", description="Write it.")
    + _beads(
        "pr-1.2",
        "Check",
        dependencies=[
            {"issue_id": "pr-1.2", "depends_on_id": "pr-1.1", "type": "blocks"},
            {"issue_id": "pr-1.2", "depends_on_id": "pr-1", "type": "parent-child"},
        ],
    )
    + _beads("pr-2", "Other", status="in_progress")
    + _beads("pr-3", "Gone", status="closed")
)


def test_an_export_of_beads(tmp_path: Path) -> None:
    found = tasks(tmp_path, BEADS)

    assert short(found) == [
        ("pr-1-1", "Form", ()),
        ("pr-1-2", "Check", ("pr-1-1",)),
        ("pr-2", "Other", ()),
    ]
    assert found[0].body == "Form\n\nWrite it.\n\n## It is done when\n\nit is there"
    assert [task.key for task in tasks(tmp_path, BEADS, only="pr-1")] == ["pr-1-1", "pr-1-2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no tasks found: it must be a checklist"),
        ("just words\n", "no tasks found"),
        ("- [x] all done\n", "no task that is not done"),
        ("- [ ] a (after: b)\n", "tasks:1: it waits for 'b', which is no task of the file"),
        ("1. [ ] a (after: b)\n2. [ ] b\n", "tasks:.: tasks wait for each other"),
        ("- {body: x}\n", "tasks:1: .*title is missing"),
        ("- {title: a, run: x}\n", "tasks:1: .*run: unknown key"),
        ("tasks:\n- {title: a, retries: many}\n", "tasks:2: .*retries: expected a whole number"),
        ("other: 1\n", "other: unknown key"),
        ("- a: [\n", "not YAML"),
        (BEADS + "nothing\n", "tasks:6: the line is no JSON"),
        (BEADS + '{"id": 1}\n', "tasks:6: no task with id and title"),
        ("- [ ] a\n" * 1001, "1001 tasks are too many"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"cannot use .*{said}"):
        tasks(tmp_path, text)


def test_an_epic_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no 'pr-9'.*did you mean"):
        tasks(tmp_path, BEADS, only="pr-9")
    with pytest.raises(UsageError, match="it has no epics"):
        tasks(tmp_path, "- [ ] a\n", only="pr-9")


def test_a_text_of_a_file_refers_to_no_output_of_a_task(tmp_path: Path) -> None:
    (found,) = tasks(tmp_path, "- [ ] Write {{ tasks.a.output }} down\n")

    assert "{{" not in found.body


def test_equal_titles_have_keys_of_their_own(tmp_path: Path) -> None:
    assert [t.key for t in tasks(tmp_path, "- [ ] a\n- [ ] a\n- [ ] 日本\n")] == [
        "a",
        "a-2",
        "task",
    ]


EXPORTED: list[dict[str, Any]] = [
    {"key": "a", "name": "First", "status": "done", "after": [], "body": "First\n\nx", "run": None},
    {
        "key": "b",
        "name": "Second (after: all)",
        "status": "in_review",
        "after": ["a"],
        "body": "Do it.\n\n- [ ] one point\n\n    code",
        "run": None,
    },
    {"key": "c", "name": "c", "status": "failed", "after": ["a", "b"], "body": "", "run": "make x"},
]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_exported_can_be_read_again(tmp_path: Path, form: str) -> None:
    text = exported(form, "A release", EXPORTED)

    found = tasks(tmp_path, text)

    assert [(task.key, task.after) for task in found] == [("b", ()), ("c", ("b",))]
    assert found[0].body.endswith("Do it.\n\n- [ ] one point\n\n    code")
    assert "make x" in found[1].body
