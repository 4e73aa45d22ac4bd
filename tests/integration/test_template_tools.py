"""`perles templates new | graph | schema | show`, and lists of tasks that `check` knows."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.templates.catalog import Catalog
from perles.templates.check import check_template
from perles.templates.drawing import drawn, mermaid
from perles.templates.template_schema import template_schema
from tests.integration.cli import DEADLINE, Home
from tests.integration.template_agents import crew

BUILTIN = Path(__file__).parents[2] / "perles" / "templates" / "builtin"


def test_a_new_template_passes_its_check_and_runs(home: Home) -> None:
    crew(home)

    made = home.perles("templates", "new", "my-flow")
    checked = home.perles("templates", "check", "my-flow")
    again = home.perles("templates", "new", "my-flow")
    wrong = home.perles("templates", "new", "My Flow")
    run = home.popen("run", "my-flow", "--arg", "goal=Say hello", "--arg", "tests=touch tested")
    waits = home.wait_for("the question", lambda: home.json("tasks", "--waiting", "--json"))
    home.perles("approve", waits[0]["workflow_id"], "look")
    output, errors = run.communicate(timeout=DEADLINE)

    assert (made.returncode, checked.returncode) == (0, 0), made.stderr + checked.stderr
    assert str(home.root / "workflows" / "my-flow") in made.stdout
    assert (again.returncode, wrong.returncode) == (2, 2)
    assert "exists already" in again.stderr
    assert run.returncode == 0, output + errors
    assert (home.work / "tested").exists()


def test_a_new_template_can_be_the_repositorys(home: Home) -> None:
    (home.work / ".git").mkdir()

    made = home.json("templates", "new", "ours", "--repo", "--json")

    assert made["path"] == str(home.work / ".perles" / "workflows" / "ours")
    listed = {row["key"]: row["source"] for row in home.json("templates", "list", "--json")}
    assert listed["ours"] == "project"


def test_show_tells_what_it_does_and_costs_and_how_it_is_run(home: Home) -> None:
    for template in Catalog(user=home.root / "none", project=None).list():
        shown = home.perles("templates", "show", template.key).stdout
        assert template.description in shown
        assert all(f"--arg {argument.key}=…" in shown for argument in template.arguments)
        if template.key != "pipeline":
            assert "turns" in template.cost
            assert template.cost in shown
            assert template.example.startswith(f"perles run {template.key} --arg ")
            assert check_template(template).instructions


def test_the_graph_is_drawn_with_lines_and_as_mermaid(home: Home) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "true"},
        {"key": "b", "run": "true", "after": ["a"]},
        {"key": "c", "run": "true", "after": ["a"], "name": 'Say "hi" <b>'},
        {"key": "d", "assignee": "human", "question": "?", "after": ["a", "b", "c"]},
        {"key": "e", "run": "true"},
    ]
    path = home.pipeline("p", tasks)

    lines = home.perles("templates", "graph", path).stdout.splitlines()
    found = home.perles("templates", "graph", path, "--mermaid").stdout

    assert lines == [
        "●      a (command)",
        "├─╮",
        "│ │ ●  e (command)",
        "● │    b (command)",
        '│ ●    c: Say "hi" <b> (command)',
        "├─╯",
        "●      d (human)",
    ]
    assert found.startswith("flowchart TD\n")
    assert 't2["c: Say #quot;hi#quot; #lt;b#gt;"]' in found
    assert 't3{{"d"}}' in found
    assert "t1 --> t3" in found


def test_every_task_stands_once_in_a_drawing_of_many() -> None:
    for key in ("debate", "research-proposal", "quick-plan"):
        plan = check_template(Catalog(user=BUILTIN / "none", project=None).get(key))
        lines = drawn(plan.tasks)
        for task in plan.tasks:
            assert sum(f" {task.key}" in line for line in lines) >= 1
        assert mermaid(plan.tasks).count("-->") == sum(len(task.after) for task in plan.tasks)


def test_the_schemas_hold_for_the_templates_that_come_with_perles(home: Home) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    printed = json.loads(home.perles("templates", "schema", "template").stdout)
    home.perles("templates", "new", "mine")
    files = [*BUILTIN.glob("*/template.yaml"), *(home.root / "workflows").glob("*/template.yaml")]

    assert printed == template_schema()
    assert len(files) == 8
    for file in files:
        jsonschema.validate(yaml.safe_load(file.read_text()), printed)
    wrong = {"namespace": "workflow", "key": "a", "version": "1", "nmae": "x"}
    with pytest.raises(jsonschema.ValidationError, match="nmae"):
        jsonschema.validate({"registry": [wrong]}, printed)


def test_a_list_of_tasks_is_checked_as_one(home: Home) -> None:
    (home.work / "TASKS.md").write_text("- [ ] one\n- [ ] two (after: ona)\n")
    (home.work / "tasks.yaml").write_text("tasks:\n- title: one\n- {title: two, key: b, aftr: x}\n")
    good = home.work / "good.yaml"
    good.write_text("- one\n- {title: two, check: make test}\n")

    wrong = [home.perles("templates", "check", name) for name in ("TASKS.md", "tasks.yaml")]
    found = home.perles("templates", "check", good)

    assert [one.returncode for one in wrong] == [2, 2]
    assert "TASKS.md:2: it waits for 'ona'" in wrong[0].stderr
    assert "tasks.yaml:3: tasks[1].aftr: unknown key (did you mean 'after'?)" in wrong[1].stderr
    assert found.stdout.endswith("good.yaml: one, two\n")
