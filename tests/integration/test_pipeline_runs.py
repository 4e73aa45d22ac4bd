"""A pipeline runs from its file to its end, through real processes."""

from typing import Any

from tests.integration.cli import Home


def test_a_pipeline_whose_tasks_succeed_completes(home: Home) -> None:
    file = home.pipeline(
        "one", [{"key": "a", "run": "echo hi"}, {"key": "b", "run": "true", "after": ["a"]}]
    )

    result = home.perles("run", file)

    assert result.returncode == 0, result.stderr
    (shown,) = home.json("list", "--json")
    assert (shown["state"], shown["tasks"]) == ("completed", {"total": 2, "done": 2, "failed": 0})


def test_a_failed_task_fails_the_workflow_after_its_retries_and_skips_its_dependents(
    home: Home,
) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "bad", "run": "echo last words; exit 3", "retries": 1},
        {"key": "after-bad", "run": "true", "after": ["bad"]},
        {"key": "other", "run": "true"},
    ]

    result = home.perles("run", home.pipeline("two", tasks))

    assert result.returncode == 1
    shown = home.json("show", home.only(), "--json")
    by_key = {task["key"]: task for task in shown["tasks"]}
    assert {key: task["status"] for key, task in by_key.items()} == {
        "bad": "failed",
        "after-bad": "skipped",
        "other": "done",
    }
    assert (by_key["bad"]["attempt"], by_key["bad"]["exit_code"]) == (2, 3)
    assert by_key["bad"]["output_tail"] == ["last words"]
