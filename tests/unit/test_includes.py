"""include: other files as groups of tasks, keys that are ignored, and JSON files."""

import json
from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.templates.pipeline import read_pipeline

WEB = """\
name: web
workers: 9
shell: sh
env: {A: web}
parameters: {target: x64}
tasks:
- {key: build, run: 'make {{ args.target }}'}
- {key: test, after: build, run: 'echo {{ tasks.build.output }} $PERLES_OUTPUT_build', name: T}
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "web.yaml").write_text(WEB)
    return tmp_path / "main.yaml"


def test_the_tasks_of_a_file_have_its_name_before_theirs(main: Path) -> None:
    main.write_text(
        "name: x\ninclude: ci/web.yaml\nenv: {A: main}\ntasks:\n- {key: end, run: y, after: web}\n"
    )

    plan = read_pipeline(main)

    build, test, end = plan.tasks
    assert (build.key, test.key, end.after) == ("web-build", "web-test", ("web-build", "web-test"))
    assert test.after == ("web-build",)
    assert test.run == "echo {{ tasks.web-build.output }} $PERLES_OUTPUT_web_build"
    assert (build.name, test.name) == ("web-build", "T")
    assert (build.env["A"], end.env["A"], build.execution.program) == ("web", "main", ("sh",))
    assert (plan.name, plan.workers) == ("x", 2)


def test_a_file_may_be_included_twice_with_values_prefixes_and_an_order(main: Path) -> None:
    main.write_text(
        "name: x\nparameters: {t: arm}\ninclude:\n- ci/web.yaml\n"
        "- {file: ci/web.yaml, prefix: two, args: {target: '{{ args.t }}'}, after: web}\n"
    )

    tasks = {task.key: task for task in read_pipeline(main).tasks}

    assert list(tasks) == ["web-build", "web-test", "two-build", "two-test"]
    assert tasks["two-build"].env["PERLES_ARG_target"] == "arm"
    assert tasks["two-build"].after == ("web-build", "web-test")
    assert tasks["two-test"].after == ("two-build",)


def test_an_empty_prefix_leaves_keys_as_they_are(main: Path) -> None:
    main.write_text("name: x\ninclude: [{file: ci/web.yaml, prefix: ''}]\n")

    assert [task.key for task in read_pipeline(main).tasks] == ["build", "test"]


def test_paths_are_those_of_the_file_that_names_them(main: Path) -> None:
    (main.parent / "ci" / "all.yaml").write_text("include: web.yaml\ntasks: [{key: a, run: b}]\n")
    main.write_text("name: x\ninclude: ci/all.yaml\n")

    plan = read_pipeline(main)

    assert [task.key for task in plan.tasks] == ["all-web-build", "all-web-test", "all-a"]
    assert plan.groups["all-web"] == ["all-web-build", "all-web-test"]


def test_a_matrix_in_an_included_file_keeps_its_group(main: Path) -> None:
    (main.parent / "m.yaml").write_text("tasks: [{key: t, matrix: {a: [b, c]}, run: x}]\n")
    main.write_text("name: x\ninclude: m.yaml\ntasks: [{key: end, after: m-t, run: y}]\n")

    assert read_pipeline(main).tasks[-1].after == ("m-t-b", "m-t-c")


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("main.yaml", "a file cannot include itself: .*main.yaml -> .*main.yaml"),
        ("back.yaml", "cannot include itself: .*main.yaml -> .*back.yaml -> .*main.yaml"),
        ("nope.yaml", "main.yaml:2: include: cannot read .*nope.yaml"),
        ("ci", "cannot read"),
        ("''", "is empty"),
        ("{prefix: a}", "file is missing"),
        ("{file: ci/web.yaml, prefix: A B}", "is no prefix"),
        ("{file: ci/web.yaml, arg: {}}", "did you mean 'args'"),
        ("{file: ci/web.yaml, args: {targte: a}}", "main.yaml:2: .*did you mean 'target'"),
        ("{file: ci/web.yaml, after: nope}", "web-build waits for 'nope'"),
        ("[ci/web.yaml, ci/web.yaml]", "two tasks have the key 'web-build'"),
        ("[[a]]", "expected text"),
    ],
)
def test_a_wrong_include_is_refused_with_its_place(main: Path, include: str, said: str) -> None:
    (main.parent / "back.yaml").write_text("include: main.yaml\n")
    main.write_text(f"name: x\ninclude: {include}\ntasks: [{{key: a, run: b}}]\n")

    with pytest.raises(UsageError, match=said):
        read_pipeline(main)


def test_what_is_wrong_in_an_included_file_is_told_with_its_own_line(main: Path) -> None:
    (main.parent / "b.yaml").write_text("tasks:\n- {key: a, rum: b}\n")
    main.write_text("name: x\ninclude: b.yaml\n")

    with pytest.raises(UsageError, match=r"b.yaml:2: tasks\[0\].rum: unknown key"):
        read_pipeline(main)


def test_keys_that_begin_with_x_have_no_effect_and_anchors_bring_what_they_hold(
    main: Path,
) -> None:
    main.write_text(
        "name: x\nx-slow: &slow {timeout: 1h, retries: 2}\n"
        "tasks:\n- {key: a, run: b, <<: *slow, retries: 1, x-note: hi}\n"
    )

    (task,) = read_pipeline(main).tasks

    assert (task.timeout, task.retries) == (3600, 1)


def test_a_pipeline_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(
        json.dumps({"name": "😀", "tasks": [{"key": "a", "run": "echo 😀\t\x7f"}]}, indent="\t")
    )

    plan = read_pipeline(path)

    assert (plan.name, plan.tasks[0].run) == ("😀", "echo 😀\t\x7f")


def test_conditions_and_last_tasks_of_an_included_file_keep_their_meaning(main: Path) -> None:
    (main.parent / "b.yaml").write_text(
        "parameters: {on: prod}\ntasks:\n- {key: a, run: b}\n"
        "- {key: c, run: d, after: a, when: tasks.a.status == 'done' and args.on == 'tasks.a.x'}\n"
        "finally: [{key: clean, run: e}]\n"
    )
    main.write_text("name: x\ninclude: b.yaml\ntasks: [{key: end, run: y, after: b}]\n")

    *_, c, clean, end = read_pipeline(main).tasks

    assert c.when == "tasks.b-a.status == 'done' and 'prod' == 'tasks.a.x'"
    assert (clean.key, clean.last, end.after) == ("b-clean", True, ("b-a", "b-c"))


def test_whatever_part_of_a_task_a_script_names_follows_the_prefix(main: Path) -> None:
    (main.parent / "b.yaml").write_text(
        "tasks:\n- {key: a-b, run: x}\n- key: c\n  after: a-b\n"
        "  run: echo {{ tasks.a-b.outputs.v }} $PERLES_OUTPUT_a_b_outputs_v "
        "$PERLES_OUTPUT_a_b_exit_code $PERLES_OUTPUT_other\n"
    )
    main.write_text("name: x\ninclude: b.yaml\n")

    assert read_pipeline(main).tasks[1].run == (
        "echo {{ tasks.b-a-b.outputs.v }} $PERLES_OUTPUT_b_a_b_outputs_v "
        "$PERLES_OUTPUT_b_a_b_exit_code $PERLES_OUTPUT_other"
    )
