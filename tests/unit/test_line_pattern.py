"""Patterns for lines of output: they find what regular expressions find, and never take long."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.domain.line_pattern import MAX_LINE, LinePattern

_ATOMS = st.sampled_from(
    ["a", "b", ".", r"\d", r"\W", "[ab]", "[^a]", "[a-c0-9]", r"\.", "^", "$", "1", " "]
)
_REPEATABLE = st.sampled_from(["a", "b", ".", r"\d", r"\W", "[ab]", "[^a]", "(?:ab)", "(a|b1)"])
_COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "{0,2}"])
_PIECES = st.one_of(_ATOMS, st.builds(lambda one, count: one + count, _REPEATABLE, _COUNTS))
_SEQUENCES = st.lists(_PIECES, min_size=1, max_size=5).map("".join)
PATTERNS = st.lists(_SEQUENCES, min_size=1, max_size=3).map("|".join)


@settings(deadline=None, max_examples=300)
@given(PATTERNS, st.text(alphabet="abc1. x", max_size=12))
@example("a*$", "b")
def test_it_finds_what_a_regular_expression_finds(pattern: str, line: str) -> None:
    assert LinePattern(pattern).found_in(line) == bool(re.search(pattern, line))


def test_case_may_not_matter() -> None:
    assert LinePattern("(?i)Ready [A-C]").found_in("now READY b")
    assert not LinePattern("Ready").found_in("READY")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a|aa)*b", "(a*)*b", "(.*)*x(.*)*y", "(a?){50}b"])
def test_what_takes_others_for_ever_ends_here(pattern: str) -> None:
    assert not LinePattern(pattern).found_in("a" * 10 * MAX_LINE + "!")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "1 to 500"),
        ("a" * 501, "1 to 500"),
        ("(a", "( without )"),
        ("a)", ") without ("),
        ("*a", "repeats nothing"),
        ("a**", "repeats a repetition"),
        ("a{3,2}", "smaller number first"),
        ("a{999}", "at most 100 times"),
        ("a{x}", "no number"),
        ("a{0}", "repeats nothing"),
        ("[a", "ends too early"),
        ("[z-a]", "no range"),
        (r"(a)\1", "means nothing here"),
        ("(?=a)", "(?"),
        ("\\", "ends too early"),
        ("^*", "repeats a ^"),
        ("((a{99}){99}){99}", "too long"),
        ("(" * 60 + "a" + ")" * 60, "deep"),
    ],
)
def test_what_is_no_pattern_of_this_kind_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        LinePattern(pattern)
