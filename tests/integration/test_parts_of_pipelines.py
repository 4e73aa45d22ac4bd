"""`perles run FILE TASK…`, `--from` and `--skip`, for run and create alike."""

from typing import Any

import pytest

from tests.integration.cli import Home

pytestmark = pytest.mark.measured

TASKS: list[dict[str, Any]] = [
    {"key": "a", "run": "echo a >> log"},
    {"key": "b", "run": "echo b >> log", "after": "a"},
    {"key": "c", "run": "echo c >> log", "after": "b"},
    {"key": "d", "run": "echo d >> log"},
]


def test_only_the_named_tasks_run_and_what_they_need(home: Home) -> None:
    file = home.pipeline("part", TASKS, workers=1)

    assert home.perles("run", file, "b").returncode == 0

    assert (home.work / "log").read_text().split() == ["a", "b"]
    (shown,) = home.json("list", "--json")
    assert shown["tasks"]["total"] == 2


def test_a_part_is_shown_before_it_runs_and_can_be_created(home: Home) -> None:
    file = home.pipeline("part", TASKS)

    previewed = home.json("run", file, "--from", "b", "--dry-run", "--json")
    assert [(task["key"], task["after"]) for task in previewed] == [("b", []), ("c", ["b"])]

    made = home.json("create", file, "--skip", "b", "--skip", "d", "--json")["id"]
    tasks = home.json("show", made, "--json")["tasks"]
    assert [(task["key"], task["after"]) for task in tasks] == [("a", []), ("c", ["a"])]


def test_a_task_that_there_is_not_is_refused_and_nothing_is_made(home: Home) -> None:
    file = home.pipeline("part", [{"key": "lint", "run": "true"}])

    result = home.perles("run", file, "lnt")

    assert result.returncode == 2
    assert "cannot find task 'lnt' (did you mean 'lint'?)" in result.stderr
    assert home.json("list", "--json") == []
    result = home.perles("run", "Write a poem about pearls.", "lint")
    assert "cannot name tasks of a goal" in result.stderr


def test_a_workflow_that_there_is_has_its_tasks(home: Home) -> None:
    made = home.json("create", home.pipeline("part", TASKS), "--json")["id"]

    result = home.perles("run", made, "a")

    assert result.returncode == 2
    assert "cannot choose tasks of" in result.stderr
