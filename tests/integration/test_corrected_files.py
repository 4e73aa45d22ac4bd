"""`perles retry ID --file FILE`: what is unchanged and done stays done, what changed runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home

pytestmark = pytest.mark.measured

BAD: list[dict[str, Any]] = [
    {"key": "fetch", "run": "echo fetch >> log"},
    {"key": "build", "run": "echo build >> log; exit 3", "after": "fetch"},
    {"key": "old", "run": "echo old >> log"},
    {"key": "slow", "run": "echo slow >> log", "timeout": "1m"},
    {"key": "test", "run": "echo test >> log", "after": "build"},
]
GOOD: list[dict[str, Any]] = [
    BAD[0],
    {**BAD[1], "run": "echo build >> log"},
    {**BAD[3], "timeout": "2m", "name": "Slower"},
    BAD[4],
    {"key": "new", "run": "echo new >> log", "after": ["fetch", "test"]},
]


def _failed(home: Home, tasks: list[dict[str, Any]], **more: Any) -> str:
    """A workflow of these tasks that has failed."""
    assert home.perles("run", home.pipeline("p", tasks, **more)).returncode == 1
    (found,) = home.json("list", "--json")
    return str(found["id"])


def _retried(home: Home, *args: str | Path) -> str:
    result = home.perles("retry", *args)
    assert result.returncode == 0, result.stderr
    match = re.search(r" as (wf-\w+)", result.stdout)
    assert match is not None
    return match.group(1)


def _tasks(home: Home, ref: str) -> dict[str, dict[str, Any]]:
    return {task["key"]: task for task in home.json("show", ref, "--json")["tasks"]}


def test_what_changed_runs_and_what_comes_after_and_the_rest_stays(home: Home) -> None:
    old = _failed(home, BAD)
    (home.work / "log").unlink()
    file = home.pipeline("p", GOOD)

    shown = home.json("retry", old, "--file", file, "--dry-run", "--json")
    assert {one["key"]: (one["what"], one["why"]) for one in shown} == {
        "fetch": ("keep", "done"),
        "build": ("run", "changed: its command"),
        "slow": ("keep", "done"),
        "test": ("run", "was skipped"),
        "new": ("add", "is new"),
        "old": ("drop", "is not in the file; done"),
    }
    assert len(home.json("list", "--json")) == 1

    new = _retried(home, old, "--file", file)
    assert home.perles("run", new).returncode == 0

    assert (home.work / "log").read_text().split() == ["build", "test", "new"]
    found = _tasks(home, new)
    assert list(found) == ["fetch", "build", "slow", "test", "new"]
    assert {task["status"] for task in found.values()} == {"done"}
    assert found["slow"]["name"] == "Slower"
    dropped = [event for event in home.events() if event["type"] == "task.dropped"]
    assert [event["payload"]["key"] for event in dropped] == ["old"]


def test_from_a_task_on_all_runs_though_it_is_unchanged(home: Home) -> None:
    old = _failed(home, BAD)
    (home.work / "log").unlink()

    new = _retried(home, old, "--file", home.pipeline("p", GOOD), "--from", "fetch")
    assert home.perles("run", new).returncode == 0

    assert (home.work / "log").read_text().split() == ["fetch", "build", "test", "new"]


def test_what_waits_for_a_task_that_changed_runs_again_though_it_was_done(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo 1", "env": {"V": "1"}},
        {"key": "b", "run": "echo {{ tasks.a.output }} >> log", "after": "a"},
        {"key": "c", "run": "exit 1", "after": "b"},
    ]
    old = _failed(home, tasks)
    changed = [{**tasks[0], "run": "echo 2"}, tasks[1], {**tasks[2], "run": "true"}]

    new = _retried(home, old, "--file", home.pipeline("p", changed))
    assert home.perles("run", new).returncode == 0

    assert (home.work / "log").read_text().split() == ["1", "2"]


def test_a_parameter_may_be_corrected_and_reruns_only_what_names_it(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo a >> log"},
        {"key": "b", "run": "echo {{ args.v }} >> log"},
        {"key": "c", "run": "test {{ args.ok }} = yes"},
    ]
    more = {"parameters": {"v": "1", "ok": "no"}, "workers": 1}
    old = _failed(home, tasks, **more)

    new = _retried(home, old, "--file", home.pipeline("p", tasks, **more), "--arg", "ok=yes")
    assert home.perles("run", new).returncode == 0

    assert (home.work / "log").read_text().split() == ["a", "1"]


def test_items_of_a_list_that_stays_stay_and_those_of_another_are_made_anew(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "echo list >> log; printf 'a\\nb\\n'"},
        {
            "key": "each",
            "after": "list",
            "for_each": "{{ tasks.list.output }}",
            "run": "echo {{ item }} >> log; test {{ item }} = a || test -e good",
        },
        {"key": "end", "after": "each", "run": "exit 1"},
    ]
    old = _failed(home, tasks, workers=1)
    (home.work / "good").touch()
    (home.work / "log").unlink()

    fixed = [*tasks[:2], {**tasks[2], "run": "true"}]
    new = _retried(home, old, "--file", home.pipeline("p", fixed, workers=1))
    assert home.perles("run", new).returncode == 0
    assert (home.work / "log").read_text().split() == ["b"]

    (home.work / "log").unlink()
    other = [{**tasks[0], "run": "printf 'b\\nc\\n'"}, *fixed[1:]]
    last = _retried(home, new, "--file", home.pipeline("p", other, workers=1))
    assert home.perles("run", last).returncode == 0
    assert sorted((home.work / "log").read_text().split()) == ["b", "c"]
    assert "each-a" not in _tasks(home, last)


def test_a_wrong_correction_is_refused_and_nothing_is_made(home: Home) -> None:
    old = _failed(home, BAD)
    good = home.pipeline("p", GOOD)
    (home.work / "bad.yaml").write_text("name: x\ntasks: [{key: a, rum: b}]\n")

    for words, said in (
        (["--file", "bad.yaml"], "bad.yaml:2: tasks[0].rum: unknown key"),
        (["--file", str(good), "--from", "biuld"], "cannot find task 'biuld' (did you mean"),
        (["--file", str(good), "--arg", "v=1"], "does not have it"),
        (["--from", "build"], "without --file"),
    ):
        result = home.perles("retry", old, *words)
        assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    assert len(home.json("list", "--json")) == 1


def test_a_workflow_that_has_not_ended_is_not_corrected(home: Home) -> None:
    file = home.pipeline("p", GOOD)
    made = home.json("create", file, "--json")["id"]

    result = home.perles("retry", made, "--file", file)

    assert result.returncode == 4
