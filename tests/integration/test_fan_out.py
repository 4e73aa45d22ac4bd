"""for_each over what an earlier task made, in real workflows; and matrices, side by side."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home

pytestmark = pytest.mark.measured

EACH: dict[str, Any] = {"key": "scan", "after": ["list"], "for_each": "{{ tasks.list.output }}"}


def _tasks(home: Home, ref: str) -> dict[str, dict[str, Any]]:
    return {task["key"]: task for task in home.json("show", ref, "--json")["tasks"]}


def _run(home: Home, name: str, tasks: list[dict[str, Any]], **more: Any) -> int:
    result = home.perles("run", home.pipeline(name, tasks, **more))
    assert "Traceback" not in result.stderr
    return result.returncode


def test_each_line_of_an_output_becomes_a_task_and_what_comes_after_waits_for_all(
    home: Home,
) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "printf 'a.b\\n$(touch pwned)\\n\\nc d\\n'"},
        {
            **EACH,
            "name": "scan {{ item }}",
            "run": "echo \"got {{ item }} $H\"; printf '%s\\n' '{{ item }}' >> seen",
            "env": {"H": "h-{{ item }}"},
        },
        {"key": "end", "after": ["scan"], "run": "sort seen; echo '{{ tasks.scan.output }}'"},
    ]

    assert _run(home, "each", tasks, workers=3) == 0

    found = _tasks(home, "each")
    assert list(found) == ["list", "scan", "end", "scan-a-b", "scan-touch-pwned", "scan-c-d"]
    assert {task["status"] for task in found.values()} == {"done"}
    assert found["scan-touch-pwned"]["name"] == "scan $(touch pwned)"
    assert found["scan-c-d"]["output_tail"] == ["got c d h-c d"]
    assert found["end"]["output_tail"][:3] == ["$(touch pwned)", "a.b", "c d"]
    assert found["end"]["output_tail"][3:] == [
        "got a.b h-a.b",
        "got $(touch pwned) h-$(touch pwned)",
        "got c d h-c d",
    ]
    assert found["scan"]["summary"] == "3 tasks done"
    assert not (home.work / "pwned").exists()
    (made,) = home.events("--type", "task.fanned_out")
    assert made["payload"]["items"] == 3


def test_a_json_list_of_objects_has_fields_and_max_parallel_holds(home: Home) -> None:
    items = [{"host": f"h{number}", "port": number} for number in range(4)]
    script = (
        "mkdir run-{{ item.port }}; ls -d run-* | wc -l; sleep 0.3; rmdir run-{{ item.port }}; "
        "echo {{ item.host }}"
    )
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": f"echo '{json.dumps(items)}'"},
        {
            "key": "scan",
            "after": ["list"],
            "for_each": {"in": "{{ tasks.list.output }}", "max_parallel": 1},
            "run": script,
        },
    ]

    assert _run(home, "fields", tasks, workers=4) == 0

    found = _tasks(home, "fields")
    assert found["scan-h2-2"]["output_tail"] == ["1", "h2"]
    assert all(found[f"scan-h{n}-{n}"]["output_tail"][0] == "1" for n in range(4))


def test_a_value_that_an_earlier_task_wrote_may_have_the_items(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": 'echo \'items=["x", "y z"]\' >> $PERLES_OUTPUT; echo noise'},
        {**EACH, "for_each": "{{ tasks.list.outputs.items }}", "run": "echo {{ item }}"},
        {
            "key": "gone",
            "after": ["list"],
            "for_each": "{{ tasks.list.outputs.nope }}",
            "run": "true",
            "continue_on_error": True,
        },
    ]

    assert _run(home, "values", tasks) == 0

    found = _tasks(home, "values")
    assert found["scan-y-z"]["output_tail"] == ["y z"]
    assert "list wrote no such output" in found["gone"]["failure"]


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("echo '{\"a\": 1}'", "it is a JSON object, no list"),
        ("echo '[1, 2'", "it starts like JSON but is not valid"),
        ("seq 1 4", "4 items are too many; 3 at most"),
    ],
)
def test_what_is_no_list_fails_the_task_with_the_reason(
    home: Home, printed: str, said: str
) -> None:
    each = {"in": "{{ tasks.list.output }}", "max": 3}
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": printed},
        {**EACH, "for_each": each, "run": "echo {{ item }}"},
        {"key": "end", "after": ["scan"], "run": "true"},
    ]

    assert _run(home, "no-list", tasks) == 1

    found = _tasks(home, "no-list")
    assert (found["scan"]["status"], found["end"]["status"]) == ("failed", "skipped")
    assert said in found["scan"]["failure"]


def test_an_empty_list_is_done_at_once(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "true"},
        {**EACH, "run": "echo {{ item }}"},
        {"key": "end", "after": ["scan"], "run": "true"},
    ]

    assert _run(home, "none", tasks) == 0
    assert {task["status"] for task in _tasks(home, "none").values()} == {"done"}


def test_a_retry_runs_the_items_that_failed_alone(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "echo x >> lists; printf 'a\\nb\\n'"},
        {
            **EACH,
            "run": "echo {{ item }} >> seen; test {{ item }} = a || test -e good",
        },
        {"key": "end", "after": ["scan"], "run": "true"},
    ]
    assert _run(home, "again", tasks) == 1
    found = _tasks(home, "again")
    assert [found[key]["status"] for key in ("scan", "scan-a", "scan-b", "end")] == [
        "skipped",
        "done",
        "failed",
        "skipped",
    ]
    (home.work / "good").touch()

    old = home.only()
    new = home.perles("retry", old).stdout.split(" as ")[1].split(";")[0].strip()
    assert home.perles("run", new).returncode == 0

    assert {task["status"] for task in _tasks(home, new).values()} == {"done"}
    assert sorted((home.work / "seen").read_text().split()) == ["a", "b", "b"]  # side by side
    assert (home.work / "lists").read_text().split() == ["x"]


def test_a_list_that_is_longer_than_what_is_kept_is_read_or_refused_never_cut(
    home: Home, tmp_path: Path
) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "seq -f 'host-%0300.0f' 1 90"},
        {**EACH, "run": "printf %s {{ item }} | wc -c", "name": "s"},
        {"key": "huge", "run": "head -c 2000000 /dev/zero | tr '\\0' x | fold"},
        {
            "key": "many",
            "after": ["huge"],
            "for_each": "{{ tasks.huge.output }}",
            "run": "echo {{ item }}",
            "continue_on_error": True,
        },
    ]

    assert _run(home, "long", tasks, workers=4) == 0

    found = _tasks(home, "long")
    assert sum(key.startswith("scan-") for key in found) == 90
    assert "too long to be read as a list" in found["many"]["failure"]


def test_an_item_does_not_lead_out_of_the_work_dir(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "echo ../up"},
        {**EACH, "run": "pwd", "dir": "{{ item }}"},
    ]

    assert _run(home, "dir", tasks) == 1
    assert "is no folder in the work dir" in _tasks(home, "dir")["scan"]["failure"]


def test_who_looks_sees_how_many_items_are_done(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "list", "run": "printf 'a\\nb\\nc\\n'"},
        {
            **EACH,
            "name": "look at {{ item }}",
            "run": "test {{ item }} = a || until test -e go; do sleep 0.1; done",
        },
    ]
    made = home.json("create", home.pipeline("seen", tasks, workers=2), "--json")["id"]
    home.perles("start", made, "--with-engine")
    home.wait_for(
        "the first item",
        lambda: _tasks(home, made).get("scan-a", {}).get("status") == "done",
    )

    shown = home.perles("show", made).stdout

    assert "1 of 3 items done" in shown
    assert "look at b" in shown.split("TASK")[0]
    found = _tasks(home, made)
    assert found["scan"]["items"] == {"total": 3, "done": 1, "failed": 0}
    assert found["scan-b"]["made_by"] == "scan"
    (home.work / "go").touch()
    assert home.perles("wait", made).returncode == 0
