"""matrix and for_each at the nodes of templates."""

from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.domain.specs import Plan, TaskSpec
from perles.templates.check import check_template
from perles.templates.instantiate import plan_of
from perles.templates.template import Template
from perles.templates.template_file import read_templates
from perles.templates.template_schema import template_schema

HEAD = """\
registry:
  - namespace: workflow
    key: many
    version: "1"
    arguments:
      - {key: flag, label: Flag, type: text, default: "-v"}
    nodes:
"""
NODES = """\
      - key: build
        matrix: {os: [linux, mac], py: ['3.11', '3.13'], exclude: [{os: mac, py: '3.11'}]}
        run: ./build {{ matrix.os }} "{{ matrix.py }}" {{ Args.flag }}
        env: {TARGET: '{{ matrix.os }}'}
      - key: look
        matrix: {area: [parser, store], max_parallel: 1}
        template: look.md
        when: matrix.area == 'store' or args.flag != 'no'
        outputs: {report: 'out/{{ Args.flag }}-{{ matrix.area }}.md'}
      - {key: ask, for_each: [ann, bob], assignee: human, question: 'Is {{ item }} well?'}
      - {key: end, after: [build, look-store, ask], run: echo}
"""


def _template(folder: Path, nodes: str) -> Template:
    (folder / "template.yaml").write_text(HEAD + nodes)
    (folder / "look.md").write_text("Look at {{ matrix.area }} with {{ Args.flag }}.\n")
    return read_templates(folder / "template.yaml", "user")[0]


def _plan(folder: Path, nodes: str = NODES, flag: str = "-x") -> Plan:
    return plan_of(_template(folder, nodes), {"flag": flag})


def _tasks(plan: Plan) -> dict[str, TaskSpec]:
    return {task.key: task for task in plan.tasks}


def test_a_node_is_a_task_for_each_cell_and_item(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    tasks = _tasks(plan)

    builds = ["build-linux-3-11", "build-linux-3-13", "build-mac-3-13"]
    looks = ["look-parser", "look-store"]
    assert list(tasks) == [*builds, *looks, "ask-ann", "ask-bob", "end"]
    assert tasks["end"].after == (*builds, "look-store", "ask-ann", "ask-bob")
    assert plan.groups == {"build": builds, "look": looks, "ask": ["ask-ann", "ask-bob"]}
    assert tasks["look-store"].shares == {"look": 1}
    check_template(_template(tmp_path, NODES))


def test_every_text_of_a_node_has_its_own_values(tmp_path: Path) -> None:
    tasks = _tasks(_plan(tmp_path))

    mac = tasks["build-mac-3-13"]
    assert mac.run == './build {{ matrix.os }} "{{ matrix.py }}" -x'
    assert mac.env["PERLES_OUTPUT_MATRIX_os"] == "mac"
    assert mac.env["TARGET"] == "mac"
    assert tasks["look-store"].body.startswith("Look at store with -x.")
    assert tasks["look-store"].outputs == {"report": "out/-x-store.md"}
    assert tasks["look-store"].when == "'store' == 'store' or '-x' != 'no'"
    assert tasks["ask-bob"].body == "Is bob well?"


def test_an_argument_is_no_reference_to_a_value(tmp_path: Path) -> None:
    body = _tasks(_plan(tmp_path, flag="{{ matrix.area }}"))["look-store"].body

    assert body.startswith("Look at store with {{ matrix.area }}.")


def test_items_may_come_from_an_earlier_task(tmp_path: Path) -> None:
    nodes = """\
      - {key: Host List, run: cat hosts}
      - key: scan
        after: Host List
        for_each: {in: '{{ tasks.host-list.output }}', max: 5}
        run: ./scan {{ item }} {{ Args.flag }}
"""
    scan = _tasks(_plan(tmp_path, nodes))["scan"]

    assert scan.fan_out is not None
    assert (scan.fan_out.task, scan.fan_out.limit) == ("host-list", 5)
    assert scan.run == "./scan {{ item }} -x"
    with pytest.raises(UsageError, match="does not wait for 'host-list'"):
        _template(tmp_path, nodes.replace("        after: Host List\n", ""))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ("- {key: a, matrix: {os: ['{{ Args.flag }}']}, run: x}", "arguments are not known here"),
        ("- {key: a, for_each: '{{ args.flag }}', run: x}", "arguments are not known here"),
        ("- {key: a, for_each: '{% x %}', run: x}", "arguments are not known here"),
        ("- {key: a, matrix: {os: [b]}, run: 'x {{ matrix.oss }}'}", "did you mean 'os'"),
        ("- {key: a, matrix: {area: []}, run: x}", "is empty"),
        ("- {key: a, matrix: {b: [c], d: [e]}, run: x}\n      - {key: a, run: y}", "rename one"),
        ("- {key: a, matrix: {b: [c, d]}, outputs: {f: x}, run: x}", "duplicate artifact output"),
        ("- {key: a, matrix: {b: [c]}, run: x}\n      - {key: e, after: aa, run: y}", "mean 'a'"),
        (
            "- {key: a, matrix: {b: [c, d]}, run: x}\n"
            "      - {key: e, after: a, run: 'y {{ tasks.a.output }}'}",
            "stands for several tasks; name one of them: a-c, a-d",
        ),
        ("- {key: a, matrix: {area2: [b]}, template: look.md}", "look.md:1: {{ matrix.area }}"),
        ("- {key: a, template: look.md}", "look.md:1: {{ matrix.area }}"),
        ("- {key: a, for_each: [b], outputs: {f: '{{ item }}/../../..'}, run: x}", "no path below"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, nodes: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_template(_template(tmp_path, f"      {nodes}\n"))

    assert said in str(caught.value)


def test_the_schema_of_templates_has_both() -> None:
    assert {"matrix", "for_each"} <= set(template_schema()["$defs"]["node"]["properties"])
