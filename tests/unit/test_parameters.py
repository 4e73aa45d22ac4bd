"""Parameters of pipeline files: what is asked for, what was given, and where values stand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.domain.execution import Language
from perles.domain.specs import Plan, TaskSpec
from perles.templates.outputs import fill_command
from perles.templates.pipeline import read_pipeline
from tests.unit.test_outputs_in_scripts import GUARDED, SAME, SHELLS, TEXTS, X

HEAD = """\
name: release {{ args.version }}
workers: "{{ args.n }}"
parameters:
  version: {description: What to build}
  channel: {choices: [stable, beta], default: stable}
  n: {type: number, default: 3}
  dry-run: {type: boolean, default: no}
  extra:
    required: false
"""


def _plan(folder: Path, text: str, **given: str) -> Plan:
    path = folder / "p.yaml"
    path.write_text(text)
    return read_pipeline(path, {name.replace("__", "-"): value for name, value in given.items()})


def _task(folder: Path, task: str, **given: str) -> TaskSpec:
    return _plan(folder, f"{HEAD}tasks:\n{task}\n", **given).tasks[0]


def _run(task: TaskSpec) -> str:
    """What a task's command prints, as its worker runs it."""
    filled, more = fill_command(task.run or "", {}, task.execution.language, task.env)
    argv = [*task.execution.program, "-c", filled]
    environ = {"PATH": os.environ["PATH"], **task.env, **more}
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout


def test_values_stand_in_names_numbers_and_variables(tmp_path: Path) -> None:
    plan = _plan(
        tmp_path,
        HEAD + "tasks:\n- {key: a, run: make, dir: 'v{{ args.version }}', timeout: '{{args.n}}m',\n"
        "   env: {V: '{{ args.version }} ${HOME:-}x'}, name: 'b {{ args.channel }}'}\n",
        version="1 ${HOME}",
        n="5",
    )

    (task,) = plan.tasks
    assert (plan.name, plan.workers, task.name, task.timeout) == (
        "release 1 ${HOME}",
        5,
        "b stable",
        300,
    )
    assert task.execution.dir == "v1 ${HOME}"
    assert task.env["V"] == f"1 ${{HOME}} {os.environ.get('HOME', '')}x"


def test_a_command_has_the_variables_that_it_names_and_no_others(tmp_path: Path) -> None:
    task = _task(
        tmp_path, "- {key: a, run: 'echo $PERLES_ARG_dry_run {{ args.version }}'}", version="7"
    )

    assert {name for name in task.env if name.startswith("PERLES_ARG")} == {
        "PERLES_ARG_dry_run",
        "PERLES_ARG_version",
    }
    assert _run(task) == "false 7\n"


def test_an_agent_reads_values_in_its_prompt(tmp_path: Path) -> None:
    task = _task(
        tmp_path, "- {key: a, prompt: 'Tell of {{ args.version }}{{args.extra}}'}", version="7"
    )

    assert (task.body, dict(task.env)) == ("Tell of 7", {})


@settings(max_examples=100)
@given(st.sampled_from(sorted(SAME)), st.sampled_from(SHELLS), TEXTS)
def test_a_value_comes_out_as_it_is_in_every_quoting_context(
    tmp_path_factory: pytest.TempPathFactory, context: str, shell: str, text: str
) -> None:
    script = SAME[context].replace(X, "{{ args.a }}").replace("PERLES_OUTPUT_a", "PERLES_ARG_a")
    out, became_code = _in_folder(tmp_path_factory.mktemp("p"), script, shell, text)
    assert not became_code
    assert out.rstrip("\n") == text.rstrip("\n")


@settings(max_examples=60)
@given(st.sampled_from(sorted(GUARDED)), st.sampled_from(SHELLS), TEXTS)
def test_a_value_is_no_code_of_another_program(
    tmp_path_factory: pytest.TempPathFactory, context: str, shell: str, text: str
) -> None:
    script = GUARDED[context].replace(X, "{{ args.a }}")
    _, became_code = _in_folder(tmp_path_factory.mktemp("p"), script, shell, text)
    assert not became_code


def _in_folder(folder: Path, script: str, shell: str, text: str) -> tuple[str, bool]:
    words = ", ".join(shell.split())
    lines = "".join(f"    {line}\n" for line in script.split("\n"))
    path = folder / "p.yaml"
    path.write_text(
        f"name: x\nparameters: {{a: ''}}\ntasks:\n- key: a\n  shell: [{words}]\n  run: |\n{lines}"
    )
    (task,) = read_pipeline(path, {"a": text}).tasks
    filled, _ = fill_command(task.run or "", {}, Language.SHELL, task.env)
    (folder / "script").write_text(filled, newline="")
    work = folder / "work"
    work.mkdir()
    done = subprocess.run(
        [*shell.split(), str(folder / "script")],
        cwd=work,
        env={"PATH": os.environ["PATH"], **task.env},
        capture_output=True,
        timeout=60,
        check=False,
    )
    became_code = (work / "pwned").exists()
    shutil.rmtree(work)
    return done.stdout.decode(), became_code


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "without version: give it with --arg version="),
        ({"version": "1", "chanel": "beta"}, r"'chanel'.*did you mean 'channel'"),
        ({"version": "1", "channel": "nightly"}, "it is one of stable, beta"),
        ({"version": "1", "n": "many"}, "n='many': it must be a number"),
        ({"version": "1", "dry__run": "maybe"}, "it must be true or false"),
        ({"version": "a\0b"}, "without NUL"),
        ({"version": "a" * 70000}, "at most 64 KiB"),
    ],
)
def test_a_wrong_argument_is_refused(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _plan(tmp_path, HEAD + "tasks: [{key: a, run: b}]\n", **given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters: 3\n", "p.yaml:1: parameters: expected keys"),
        ("parameters: {a b: 1}\n", "p.yaml:1: parameters.a b: 'a b' is no name"),
        ("parameters: {file: 1}\n", "cannot be called 'file'"),
        ("parameters: {a-b: 1, a_b: 2}\n", "have the same variable"),
        ("parameters: {a: {typ: text}}\n", r"p.yaml:1: parameters.a.typ: unknown key.*'type'"),
        ("parameters: {a: {type: txt}}\n", r"unknown word 'txt'.*'text'"),
        ("parameters: {a: {type: select}}\n", "choices are missing"),
        ("parameters:\n  a: {choices: [x, y],\n    default: z}\n", "p.yaml:3: .*it is one of x, y"),
        ("parameters: {a: {type: number, default: x}}\n", "it must be a number"),
        ("parameters: [{type: text}]\n", "key is missing"),
        ("parameters: [{key: a}, {key: a}]\n", "two parameters"),
        ("parameters: {a: [1]}\n", "expected text"),
    ],
)
def test_wrong_parameters_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _plan(tmp_path, f"{text}name: x\ntasks: [{{key: a, run: b}}]\n")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("run: 'echo {{ args.versoin }}'", r"p.yaml:11: tasks\[0\].run: .*did you mean 'version'"),
        ("run: b, name: '{{ args.nope }}'", r"tasks\[0\].name: .*no parameter 'nope'"),
        ("run: b, shell: [sh, '{{ args.version }}']", "can stand in shell, which is code"),
        ("run: b, secrets: {T: {command: 'pass {{ args.version }}'}}", "is code"),
        ("prompt: b, check: 'test {{ args.version }}'", "is code"),
        ("run: 'echo {{ matrix.os }}'", "this task has no matrix"),
        ("run: 'eval {{ args.version }}'", "cannot fill in a value safely.*PERLES_ARG_version"),
        ("run: 'x {{ args.version }}', shell: [node]", "only scripts of sh, bash and python"),
    ],
)
def test_a_value_that_is_not_there_or_cannot_stand_there_is_refused_with_its_line(
    tmp_path: Path, task: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        _plan(tmp_path, f"{HEAD}tasks:\n- {{key: a, {task}}}\n", version="1")


def test_a_file_without_parameters_takes_no_argument(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not have it; it has none"):
        _plan(tmp_path, "name: x\ntasks: [{key: a, run: b}]\n", version="1")


def test_what_other_programs_write_in_braces_stays_as_it_is(tmp_path: Path) -> None:
    task = _task(tmp_path, "- {key: a, run: \"echo '{{ .Values.x }} {{ item }}'\"}", version="1")

    assert _run(task) == "{{ .Values.x }} {{ item }}\n"
