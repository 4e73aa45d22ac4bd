"""matrix and for_each: which tasks an entry stands for, and what is refused."""

from pathlib import Path
from time import process_time

import pytest

from perles.domain.errors import UsageError
from perles.domain.specs import Plan
from perles.templates.pipeline import read_pipeline


def _plan(folder: Path, tasks: str, head: str = "", **given: str) -> Plan:
    path = folder / "p.yaml"
    path.write_text(f"name: x\n{head}tasks:\n{tasks}\n")
    return read_pipeline(path, given)


def _keys(plan: Plan) -> list[str]:
    return [task.key for task in plan.tasks]


def test_a_matrix_makes_a_task_for_each_combination(tmp_path: Path) -> None:
    plan = _plan(
        tmp_path,
        "- {key: test, matrix: {python: ['3.11', '3.12'], os: [linux, Mac OS]}, name: Tests,\n"
        "   run: 'x {{ matrix.python }}', dir: '{{ matrix.os }}'}\n"
        "- {key: done, after: test, run: y}",
    )

    *cells, done = plan.tasks
    assert [task.key for task in cells] == [
        "test-3-11-linux",
        "test-3-11-mac-os",
        "test-3-12-linux",
        "test-3-12-mac-os",
    ]
    assert cells[1].name == "Tests (3.11, Mac OS)"
    assert cells[1].execution.dir == "Mac OS"
    assert cells[1].env["PERLES_MATRIX_python"] == "3.11"
    assert done.after == tuple(task.key for task in cells)
    assert plan.groups == {"test": [task.key for task in cells]}


def test_entries_that_are_excluded_are_left_out_and_those_included_extend_or_add(
    tmp_path: Path,
) -> None:
    plan = _plan(
        tmp_path,
        "- key: t\n  run: 'echo {{ matrix.os }} {{ matrix.mark }}'\n  matrix:\n"
        "    os: [linux, mac]\n    py: [a, b]\n    exclude: [{os: mac, py: b}]\n"
        "    include: [{os: mac, mark: slow}, {os: bsd, py: a}, {mark: all}]",
    )

    assert {task.key: task.env["PERLES_MATRIX_mark"] for task in plan.tasks} == {
        "t-linux-a": "all",
        "t-linux-b": "all",
        "t-mac-a": "all",
        "t-bsd-a": "",
    }


def test_a_key_may_name_its_cell_and_so_may_what_it_waits_for(tmp_path: Path) -> None:
    plan = _plan(
        tmp_path,
        "- {key: 'build-{{ matrix.os }}', matrix: {os: [a, b]}, run: x}\n"
        "- {key: 'test', matrix: {os: [a, b]}, after: 'build-{{ matrix.os }}', run: x}",
    )

    assert {task.key: task.after for task in plan.tasks} == {
        "build-a": (),
        "build-b": (),
        "test-a": ("build-a",),
        "test-b": ("build-b",),
    }


def test_values_that_look_alike_in_keys_are_numbered(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "- {key: t, matrix: {v: ['a b', 'a-b', '??']}, run: x}")

    assert _keys(plan) == ["t-1", "t-2", "t-3"]


def test_an_axis_may_be_a_parameter(tmp_path: Path) -> None:
    head = "parameters: {on: {type: multi-select, choices: [a, b, c], default: 'a,b'}}\n"
    task = "- {key: t, matrix: {os: '{{ args.on }}'}, run: x}"

    assert _keys(_plan(tmp_path, task, head)) == ["t-a", "t-b"]
    assert _keys(_plan(tmp_path, task, head, on="c")) == ["t-c"]


def test_a_list_makes_a_task_for_each_item(tmp_path: Path) -> None:
    plan = _plan(
        tmp_path,
        "- {key: ping, for_each: [10.0.0.1, 'b c'], run: 'ping {{ item }}'}\n"
        "- {key: at, for_each: [{host: h, port: 1}, {host: i}],\n"
        "   run: 'x {{ item.host }}:{{item.port}}'}",
    )

    assert _keys(plan) == ["ping-10-0-0-1", "ping-b-c", "at-h-1", "at-i"]
    assert plan.tasks[1].env["PERLES_ITEM"] == "b c"
    assert (plan.tasks[3].env["PERLES_ITEM_host"], plan.tasks[3].env["PERLES_ITEM_port"]) == (
        "i",
        "",
    )


@pytest.mark.parametrize("given", ["a,b , c", "a\nb\nc\n", '["a", "b", "c"]'])
def test_a_parameter_may_have_the_items(tmp_path: Path, given: str) -> None:
    head = "parameters: {hosts: ''}\n"
    task = "- {key: p, for_each: '{{ args.hosts }}', run: 'ping {{ item }}'}"

    assert _keys(_plan(tmp_path, task, head, hosts=given)) == ["p-a", "p-b", "p-c"]


@pytest.mark.parametrize(
    ("fan", "said"),
    [
        ("matrix: 3", r"p.yaml:3: tasks\[0\].matrix: expected keys"),
        ("matrix: {}", "has no cell"),
        ("matrix: {os: []}", "is empty"),
        ("matrix: {os: [[a]]}", "expected text"),
        ("matrix: {'a b': [c]}", "is no name"),
        ("matrix: {os: [a], exclude: 3}", "expected a list"),
        ("matrix: {os: [a], exclude: [{so: a}]}", "'so', which is no axis"),
        ("matrix: {os: [a], exclude: [{os: a}]}", "has no cell"),
        ("matrix: {os: [a], include: [3]}", "expected keys"),
        ("matrix: {os: [a], include: [{}]}", "is empty"),
        ("matrix: {os: [a], max_parallel: 0}", "out of range"),
        ("matrix: {os: [a], max_parallel: x}", "expected a whole number"),
        ("matrix: {os: [a]}, name: '{{ matrix.so }}'", "the matrix has no 'so'; known are os"),
        ("matrix: {os: '{{ args.x }}'}", "no parameter 'x'"),
        ("for_each: 3", "must be a list, or one reference"),
        ("for_each: []", "is empty"),
        ("for_each: [[a]]", "expected text"),
        ("for_each: [{a-b: 1}]", "is no name"),
        ("for_each: {of: [a]}", "unknown key"),
        ("for_each: {max: 3}", "in is missing"),
        ("for_each: {in: [a, b], max: 1}", "2 items are too many; 1 at most"),
        ("for_each: {in: [a], max_parallel: 0}", "out of range"),
        ("for_each: [a], worker: '{{ item.x }}'", "the item has no 'x'"),
    ],
)
def test_a_wrong_fan_is_refused_with_its_line(tmp_path: Path, fan: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        _plan(tmp_path, f"- {{key: t, run: x, {fan}}}")
    assert "p.yaml:3:" in str(refused.value)


def test_a_million_cells_are_refused_before_they_are_made(tmp_path: Path) -> None:
    axis = str(list(range(100)))
    begun = process_time()

    with pytest.raises(UsageError, match="1000000 cells are too many"):
        _plan(tmp_path, f"- {{key: t, run: x, matrix: {{a: {axis}, b: {axis}, c: {axis}}}}}")

    assert process_time() - begun < 1


def test_all_tasks_together_are_bounded(tmp_path: Path) -> None:
    axis = str(list(range(90)))
    tasks = "\n".join(
        f"- {{key: {key}, run: x, matrix: {{a: {axis}, b: {axis}}}}}" for key in ("s", "t")
    )
    with pytest.raises(UsageError, match=r"p.yaml:4: .*more than 10000 tasks"):
        _plan(tmp_path, tasks)


def test_what_all_tasks_wait_for_is_bounded(tmp_path: Path) -> None:
    axis = str(list(range(600)))
    tasks = (
        f"- {{key: s, run: x, matrix: {{a: {axis}}}}}\n"
        f"- {{key: t, run: x, after: s, matrix: {{a: {axis}}}}}"
    )
    with pytest.raises(UsageError, match=r"p.yaml:4: .*put a task between two groups"):
        _plan(tmp_path, tasks)


def test_the_output_of_several_tasks_is_none(tmp_path: Path) -> None:
    tasks = (
        "- {key: s, run: x, matrix: {a: [b, c]}}\n"
        "- {key: t, run: 'echo {{ tasks.s.output }}', after: s}"
    )
    with pytest.raises(UsageError, match="stands for several tasks; name one of them: s-b, s-c"):
        _plan(tmp_path, tasks)


def test_a_task_cannot_have_the_name_of_a_group(tmp_path: Path) -> None:
    tasks = "- {key: s, run: x, matrix: {a: [b, c]}}\n- {key: s, run: x}"

    with pytest.raises(UsageError, match=r"p.yaml:4: .*stands for this task and for others"):
        _plan(tmp_path, tasks)


def test_a_condition_may_name_values(tmp_path: Path) -> None:
    tasks = (
        '- {key: a, run: x}\n- {key: t, run: x, after: a, matrix: {os: [b, "it\'s"]},\n'
        "   when: matrix.os == 'matrix.os' or tasks.a.output != matrix.os}"
    )

    _, first, second = _plan(tmp_path, tasks).tasks

    assert first.when == "'b' == 'matrix.os' or tasks.a.output != 'b'"
    assert second.when == "\"it's\" == 'matrix.os' or tasks.a.output != \"it's\""
