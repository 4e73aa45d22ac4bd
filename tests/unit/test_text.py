"""No byte from an agent reaches a terminal as a control code."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.cli import output
from perles.cli.output import print_json, tell
from perles.domain.text import clean, cut, folded, pad, width


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b2Jb", "a2Jb"),
        ("a\rb", "ab"),
        ("a\nb\tc", "a b c"),
        ("\u202eevil", "evil"),
        ("\x1bcreset", "reset"),
        ("bell\x07\x08", "bell"),
    ],
)
def test_control_codes_are_taken_out(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_of_a_cleaned_text_controls_a_terminal(text: str) -> None:
    assert not [letter for letter in clean(text) if unicodedata.category(letter) in ("Cc", "Cs")]


@given(st.text(), st.integers(1, 30))
def test_a_cut_text_fits_and_a_padded_one_fills(text: str, columns: int) -> None:
    short = cut(clean(text), columns)

    assert width(short) <= columns
    assert width(pad(short, columns)) == columns


@given(st.text("ab 漢-", max_size=60).map(str.rstrip), st.integers(8, 30))
def test_a_folded_line_keeps_its_words_and_fits(text: str, columns: int) -> None:
    lines = folded(text, columns, hang=2)
    assert " ".join(lines).split() == text.split()
    assert all(width(line) <= columns or len(line.split()) == 1 for line in lines)


def test_a_terminal_gets_lines_broken_between_words_and_a_pipe_whole_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell("- one two three four five six\x1b[2J", lead="| ")
    assert capsys.readouterr().out == "| - one two three four five six\n"
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "22")
    tell("- one two three four five six", lead="| ")
    assert capsys.readouterr().out == "| - one two three four\n|   five six\n"


def test_wide_letters_take_two_columns_and_combining_ones_none() -> None:
    assert (width("真"), width("e\u0301"), width("ok")) == (2, 1, 2)


def test_json_for_a_terminal_has_no_control_code_and_one_line_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"a": "x\x9bH\x85\u2028\u202e\x7f\x1b[2J\n日本"}

    print_json(value, line=True)

    printed = capsys.readouterr().out
    assert printed.splitlines() == [printed.removesuffix("\n")]
    assert json.loads(printed) == value
    assert printed.removesuffix("\n").isprintable()
