"""Pipeline files: what is read, and what is refused with file, line and key."""

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.templates.graph import find_circle
from perles.templates.pipeline import read_pipeline

GOOD = """\
name: release check
workers: 3
env: {LANG: C.UTF-8, N: 1.10}
tasks:
  - key: lint
    run: ruff check .
  - key: unit
    name: Unit tests
    run: pytest -q
    after: [lint]
    timeout: 10m
    retries: 1
    env: {CI: "1", LANG: C}
"""
TASK = "tasks: [{key: a, run: b}]\n"
BAD = {
    "cycle": ("name: x\ntasks:\n- {key: a, run: x, after: [b]}\n- {key: b, run: x, after: [a]}", 3),
    "waits for itself": ("name: x\ntasks:\n- {key: a, run: x, after: [a]}", 3),
    "unknown after": ("name: x\ntasks:\n- {key: a, run: x, after: [zz]}", 3),
    "duplicate key": ("name: x\ntasks:\n- {key: a, run: x}\n- {key: a, run: x}", 4),
    "no tasks": ("name: x\ntasks: []", 2),
    "tasks missing": ("name: x\n", 1),
    "name missing": (TASK, 1),
    "empty file": ("", 1),
    "tasks no list": ("name: x\ntasks: 3", 2),
    "workers no number": ("name: x\nworkers: many\n" + TASK, 2),
    "too many workers": ("name: x\nworkers: 100\n" + TASK, 2),
    "no workers": ("name: x\nworkers: 0\n" + TASK, 2),
    "unknown key": ("name: x\nworkres: 2\n" + TASK, 2),
    "unknown task key": ("name: x\ntasks:\n- {key: a, rum: b}", 3),
    "run missing": ("name: x\ntasks:\n- {key: a}", 3),
    "run empty": ("name: x\ntasks:\n- {key: a, run: ' '}", 3),
    "run no text": ("name: x\ntasks:\n- {key: a, run: {b: ls}}", 3),
    "long key": (f"name: x\ntasks:\n- {{key: {'a' * 300}, run: x}}", 3),
    "bad key": ("name: x\ntasks:\n- {key: A b, run: x}", 3),
    "bad timeout": ("name: x\ntasks:\n- {key: a, run: x, timeout: 10}", 3),
    "no timeout": ("name: x\ntasks:\n- {key: a, run: x, timeout: 0s}", 3),
    "bad retries": ("name: x\ntasks:\n- {key: a, run: x, retries: -1}", 3),
    "bad variable": ("name: x\nenv: {a-b: c}\n" + TASK, 2),
    "variable no text": ("name: x\nenv: {a: [c]}\n" + TASK, 2),
    "when is no text": ("name: x\ntasks:\n- {key: a, run: x, when: [always]}", 3),
    "when is empty": ("name: x\ntasks:\n- {key: a, run: x, when: ''}", 3),
    "when divides": ("name: x\ntasks:\n- {key: a, run: x, when: 1 / 0 == 1}", 3),
    "when calls": ("name: x\ntasks:\n- {key: a, run: x, when: f(f)}", 3),
    "when is endless": (f"name: x\ntasks:\n- {{key: a, run: x, when: {'not ' * 9999}1}}", 3),
    "when of no task": ("name: x\ntasks:\n- {key: a, run: x, when: tasks.b.output == 1}", 3),
    "when of itself": ("name: x\ntasks:\n- {key: a, run: x, when: tasks.a.output == 1}", 3),
    "when of a later task": (
        "name: x\ntasks:\n- {key: a, run: x, when: tasks.b.output == 1}\n- {key: b, run: x}",
        3,
    ),
    "when of no argument": ("name: x\ntasks:\n- {key: a, run: x, when: args.b}", 3),
    "when nothing can fail": ("name: x\ntasks:\n- {key: a, run: x, when: on_failure}", 3),
    "continue_on_error no boolean": (
        "name: x\ntasks:\n- {key: a, run: x, continue_on_error: maybe}",
        3,
    ),
    "finally no list": ("name: x\n" + TASK + "finally: {key: b, run: x}", 3),
    "finally of a key that stands": ("name: x\n" + TASK + "finally:\n- {key: a, run: x}", 4),
    "finally waits for nothing that is": (
        "name: x\n" + TASK + "finally:\n- {key: b, run: x, after: c}",
        4,
    ),
    "a circle within finally": (
        "name: x\n" + TASK + "finally:\n- {key: b, run: x, after: c}\n- {key: c, run: x, after: b}",
        4,
    ),
    "a circle through finally": (
        "name: x\ntasks:\n- {key: a, run: x, after: b}\nfinally:\n- {key: b, run: x}",
        3,
    ),
    "key stands twice": ("name: x\nname: y\n" + TASK, 2),
    "name of two lines": ('name: "x\\ny"\n' + TASK, 1),
    "not yaml": ("name: [x\n" + TASK, 2),
    "a tab": ("name: x\n\ttasks: 3", 2),
    "a list": ("- a\n- b", 1),
    "tag": ("name: x\ntasks:\n- {key: a, name: !!python/object/apply:os.system [ls], run: x}", 3),
}

_OF_A_COMMAND = {
    "tty no boolean": "tty: 80x24",
    "preconditions no list": "preconditions: test -f y",
    "preconditions empty": "preconditions: []",
    "a precondition of nothing": "preconditions: [{message: y}]",
    "a precondition with a place": "preconditions: ['echo {{ tasks.b.output }}']",
    "a precondition without end": "preconditions: [{run: y, timeout: 1h}]",
    "a precondition's unknown key": "preconditions: [{run: y, mesage: z}]",
    "sources outside": "sources: ../y",
    "sources absolute": "sources: [/etc/passwd]",
    "sources empty": "sources: []",
    "sources no text": "sources: [{a: b}]",
    "generates alone": "generates: y",
    "artifacts outside": "artifacts: [y, a/../../z]",
    "artifacts without paths": "artifacts: {optional: true}",
    "artifacts of no size": "artifacts: {paths: y, max_bytes: many}",
    "artifacts too large": "artifacts: {paths: y, max_bytes: 1TiB}",
}
BAD |= {
    name: (f"name: x\ntasks:\n- {{key: a, run: x, {keys}}}", 3)
    for name, keys in _OF_A_COMMAND.items()
}
BAD |= {
    "run an empty list": ("name: x\ntasks:\n- {key: a, run: []}", 3),
    "run a list of lists": ("name: x\ntasks:\n- {key: a, run: [[x]]}", 3),
    "run a list with nothing": ("name: x\ntasks:\n- {key: a, run: [x, '']}", 3),
    "tty without run": ("name: x\ntasks:\n- {key: a, prompt: x, tty: true}", 3),
    "artifacts of a prompt": ("name: x\ntasks:\n- {key: a, prompt: x, artifacts: y}", 3),
    "another part of a task": (
        "name: x\ntasks:\n- {key: b, run: y}\n- {key: a, after: b, run: 'echo {{ tasks.b.r }}'}",
        4,
    ),
}


def _file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "p.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_an_unknown_blocker_names_the_nearest_key(tmp_path: Path) -> None:
    tasks = "tasks:\n- {key: lint, run: x}\n- {key: b, run: x, after: [lnt]}"

    with pytest.raises(UsageError, match=r"'lnt', .*did you mean 'lint'"):
        read_pipeline(_file(tmp_path, f"name: x\n{tasks}"))


def test_everything_in_a_file_is_read(tmp_path: Path) -> None:
    plan = read_pipeline(_file(tmp_path, GOOD))

    lint, unit = plan.tasks
    assert (plan.name, plan.workers, lint.key, lint.name, lint.run) == (
        "release check",
        3,
        "lint",
        "lint",
        "ruff check .",
    )
    assert (unit.name, unit.after, unit.timeout, unit.retries) == ("Unit tests", ("lint",), 600, 1)
    assert unit.env == {"LANG": "C", "N": "1.10", "CI": "1"}
    assert plan.definition["pipeline"]["workers"] == "3"


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    content, line = BAD[name]
    path = _file(tmp_path, content)

    with pytest.raises(UsageError) as refused:
        read_pipeline(path)

    assert f"{path}:{line}:" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name: \xff", "is not UTF-8"),
        (b"a" * (8 * 1024 * 1024 + 1), "over 8 MiB"),
        (b"\x00\x01", "not YAML"),
        (b"[" * 5000, "too deep|not YAML|too many"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (n, n, *[n - 1] * 8)
                for n in range(98, 108)
            ),
            "too many",
        ),
    ],
    ids=["utf-8", "size", "bytes", "depth", "bomb"],
)
def test_bytes_that_are_no_file_of_ours_are_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read_pipeline(_file(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_pipeline(tmp_path / "nope.yaml")


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=8
    )
)
def test_a_circle_is_found_where_there_is_one(graph: dict[str, list[str]]) -> None:
    after = {key: tuple(b for b in blockers if b in graph) for key, blockers in graph.items()}

    circle = find_circle(after)

    try:
        TopologicalSorter(after).prepare()
    except CycleError:
        assert circle[0] == circle[-1]
        assert all(b in after[a] for a, b in pairwise(circle))
    else:
        assert circle == []


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"name: first\n{TASK}")
    first = read_pipeline(file)
    file.write_text(f"name: other\n{TASK}")  # as long, and maybe of the same moment

    other = read_pipeline(file)

    assert (first.name, other.name) == ("first", "other")
    assert first.definition != other.definition
