"""shell and strict: which program a file, a task and a first line of a script ask for."""

from pathlib import Path

import pytest

from perles.domain.errors import UsageError
from perles.domain.execution import Execution, Language, Retry, language
from perles.templates.pipeline import read_pipeline
from perles.templates.template_file import read_templates

BASH = ("bash", "-eo", "pipefail")


@pytest.fixture(autouse=True)
def _bash_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "bash").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))


def _programs(tmp_path: Path, text: str) -> list[tuple[str, ...]]:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\n" + text)
    return [task.execution.program for task in read_pipeline(path).tasks]


def _one(tmp_path: Path, task: str, above: str = "") -> tuple[str, ...]:
    (program,) = _programs(tmp_path, f"{above}\ntasks:\n- {{key: a, {task}}}\n")
    return program


def test_the_first_command_that_fails_ends_a_script(tmp_path: Path) -> None:
    assert _one(tmp_path, "run: x") == BASH


def test_without_bash_it_is_sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    assert _one(tmp_path, "run: x") == ("sh", "-e")


def test_sh_alone_is_what_it_always_was(tmp_path: Path) -> None:
    assert _one(tmp_path, "run: x, shell: sh") == ("sh",)
    assert _one(tmp_path, "run: x", "shell: sh") == ("sh",)


def test_a_task_goes_before_its_script_and_that_before_the_file(tmp_path: Path) -> None:
    script = r'run: "#!/usr/bin/env -S node -x\nx"'

    assert _one(tmp_path, "run: x", "shell: python") == ("python",)
    assert _one(tmp_path, script, "shell: python") == ("/usr/bin/env", "-S node -x")
    assert _one(tmp_path, script + ", shell: bash", "shell: python") == BASH
    assert _one(tmp_path, "run: x, shell: [node, --check]") == ("node", "--check")


def test_strict_refuses_variables_that_are_not_set(tmp_path: Path) -> None:
    assert _one(tmp_path, "run: x, strict: true") == (*BASH, "-u")
    assert _one(tmp_path, "run: x, shell: sh", "strict: true") == ("sh", "-u")
    assert _one(tmp_path, "run: x, strict: false", "strict: true") == BASH
    assert _one(tmp_path, "run: x, shell: python", "strict: true") == ("python",)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("shell: zsch\ntasks: [{key: a, run: x}]", 2, "unknown word"),
        ("shell: {a: b}\ntasks: [{key: a, run: x}]", 2, "expected text"),
        ("shell: []\ntasks: [{key: a, run: x}]", 2, "is empty"),
        ("shell: [[a]]\ntasks: [{key: a, run: x}]", 2, "expected text"),
        ("shell: python\nstrict: yes\ntasks: [{key: a, run: x}]", 3, "is for sh and bash"),
        ("strict: maybe\ntasks: [{key: a, run: x}]", 2, "true or false"),
        ("tasks:\n- key: a\n  run: x\n  shell: 3", 5, "unknown word"),
        ("tasks:\n- key: a\n  run: x\n  shell: [node]\n  strict: true", 6, "sh and bash"),
        ("tasks:\n- key: a\n  prompt: x\n  shell: sh", 5, "is for commands"),
        ("tasks:\n- key: a\n  run: x\n  timeout: {}", 5, "is empty"),
        ("tasks:\n- key: a\n  run: x\n  timeout: {rum: 1m}", 5, "did you mean 'run'"),
        ("tasks:\n- key: a\n  run: x\n  timeout: {run: 0s}", 5, "above 0"),
        ("tasks:\n- key: a\n  run: x\n  timeout: {grace: 2h}", 5, "over 1h"),
        ("tasks:\n- key: a\n  run: x\n  timeout: [1m]", 5, "expected text"),
        ("tasks:\n- key: a\n  prompt: x\n  timeout: {grace: 1s}", 5, "is for commands"),
        ("tasks:\n- key: a\n  run: x\n  retries: {delay: 1s}", 5, "max is missing"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 101}", 5, "out of range"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, delay: 25h}", 5, "over 1 day"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, delay: 5}", 5, "delay"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, backoff: 0.5}", 5, "must be 1 to"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, backoff: 1e9}", 5, "must be 1 to"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, on: 3}", 5, "expected a list"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, on: []}", 5, "is empty"),
        ("tasks:\n- key: a\n  run: x\n  retries: {max: 1, on: [0]}", 5, "out of range"),
        ("tasks:\n- key: a\n  prompt: x\n  retries: {max: 1, on: [1]}", 5, "is for commands"),
        (
            "shell: python\ntasks:\n- {key: a, run: print()}\n- key: b\n  after: [a]\n"
            '  run: print("{{ tasks.a.output }}")',
            7,
            "it stands in a string",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    with pytest.raises(UsageError, match=rf"p\.yaml:{line}: .*{said}"):
        _programs(tmp_path, text)


def test_a_template_has_the_keys_too(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "registry:\n- {namespace: workflow, key: k, version: v1, shell: python, nodes: ["
        "{key: a, run: x}, {key: b, run: x, shell: bash, strict: true}]}\n"
    )
    (template,) = read_templates(path, "file")

    assert [node.task.execution.program for node in template.nodes] == [("python",), (*BASH, "-u")]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (("sh",), Language.SHELL),
        (("/bin/bash", "-eu"), Language.SHELL),
        (("/usr/bin/env", "bash"), Language.SHELL),
        (("/usr/bin/env", "-S bash -x"), Language.SHELL),
        (("bash", "-c"), Language.OTHER),
        (("python3.12",), Language.PYTHON),
        (("/usr/bin/env", "python3"), Language.PYTHON),
        (("zsh",), Language.OTHER),
        (("pythonista",), Language.OTHER),
    ],
)
def test_what_a_program_reads_is_told_by_its_name(
    program: tuple[str, ...], expected: Language
) -> None:
    assert language(program) is expected


def test_timeout_and_retries_are_a_word_or_all_that_belongs_to_them(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: x\ntasks:\n"
        "- {key: a, run: x, timeout: 5m, retries: 2}\n"
        "- {key: b, run: x, timeout: {run: 10m, grace: 0s},"
        " retries: {max: 3, delay: 10s, backoff: 2, on: [75, 1]}}\n"
        "- {key: c, prompt: x, retries: {max: 1, delay: 1m}}\n"
    )
    a, b, c = read_pipeline(path).tasks

    assert (a.timeout, a.retries, a.execution.grace, a.execution.retry) == (300, 2, None, Retry())
    assert (b.timeout, b.retries, b.execution.grace) == (600, 3, 0)
    assert b.execution.retry == Retry(delay=10, backoff=2, on=(75, 1))
    assert c.execution == Execution(retry=Retry(delay=60))
    assert [Execution.of(task.execution.stored()) for task in (a, b, c)] == [
        task.execution for task in (a, b, c)
    ]


def test_each_delay_is_longer_but_never_over_a_day() -> None:
    retry = Retry(delay=10, backoff=2)

    assert [retry.seconds(attempt) for attempt in (1, 2, 3)] == [10, 20, 40]
    assert Retry(delay=86_400, backoff=100).seconds(10_000) == 86_400
