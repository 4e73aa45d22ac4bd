"""Files of variables: what is read, and what is refused with its line; `${VAR}` in env."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.templates.pipeline import read_pipeline
from perles.workflows.create import check_files
from perles.workspace.dotenv import read_dotenv

GOOD = r"""
# a comment
A=plain
export B = spaced out   # said
C='single $HOME # "x"'
D="double \"x\" \n \$HOME" # said
E=
F=a#b
"""


def test_all_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(GOOD)

    assert read_dotenv(tmp_path / ".env") == {
        "A": "plain",
        "B": "spaced out",
        "C": 'single $HOME # "x"',
        "D": 'double "x" \n $HOME',
        "E": "",
        "F": "a#b",
    }


@given(st.text(st.characters(exclude_characters="'\n\r\0", exclude_categories=["Cs"])))
def test_what_stands_in_single_quotes_is_itself(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "dotenv"
    path.write_text(f"A='{text}'\n", newline="")

    assert read_dotenv(path) == {"A": text}


def _bad(path: Path, kind: str) -> None:
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "over 64 KiB":
        path.write_bytes(b"#" * 65_537)
    elif kind == "not UTF-8":
        path.write_bytes(b"A=\xff\n")
    elif kind != "there is no file":
        path.write_text("A=1\nB='x\n")


@pytest.mark.parametrize(
    "said", ["a folder", "a pipe", "over 64 KiB", "not UTF-8", "there is no file", ".env:2"]
)
def test_what_is_no_file_of_variables_is_refused_with_the_line_that_names_it(
    tmp_path: Path, said: str
) -> None:
    _bad(tmp_path / ".env", said)
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("name: x\ntasks:\n- key: a\n  run: x\n  dotenv:\n  - .env\n")

    with pytest.raises(UsageError, match=rf"p\.yaml:6: .*{said}"):
        check_files(read_pipeline(pipeline), tmp_path)


def _env(tmp_path: Path, value: str) -> str:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: x\ntasks:\n- key: a\n  run: x\n  env: {{A: '{value}'}}\n")
    return read_pipeline(path).tasks[0].env["A"]


def test_a_value_has_variables_of_the_creator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHO", "ann ${HOME}")
    monkeypatch.delenv("NOBODY", raising=False)

    assert _env(tmp_path, "a ${WHO} b") == "a ann ${HOME} b"
    assert _env(tmp_path, "${NOBODY:-no one}") == "no one"
    assert _env(tmp_path, "$${WHO} $WHO $$") == "${WHO} $WHO $$"
    with pytest.raises(UsageError, match=r"p\.yaml:5: .*NOBODY is not set here"):
        _env(tmp_path, "${NOBODY}")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("dir: /tmp", "a folder in the work dir"),
        ("dir: a/../../b", "a folder in the work dir"),
        ("dir: [a]", "expected text"),
        ("dotenv: ['']", "is empty"),
        ("dotenv: {a: b}", "expected text"),
        ("unset: A", "expected a list"),
        ("unset: [a-b]", "no name of a variable"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(tmp_path: Path, key: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    for text, line in ((f"{key}\ntasks:\n- key: a\n  run: x\n", 2), (None, 5)):
        path.write_text("name: x\n" + (text or f"tasks:\n- key: a\n  run: x\n  {key}\n"))
        with pytest.raises(UsageError, match=rf"p\.yaml:{line}: .*{said}"):
            read_pipeline(path)


def test_they_are_for_commands(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\ndir: a\ntasks:\n- {key: a, prompt: x}\n- {key: b, prompt: x, dir: a}")

    with pytest.raises(UsageError, match=r"p\.yaml:5: .*is for commands"):
        read_pipeline(path)
