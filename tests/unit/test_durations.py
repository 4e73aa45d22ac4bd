"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.duration import format_duration, parse_duration
from perles.domain.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2m", 120), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("1d", 86400)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5s", "5 s", "5x", "5s5s", "١s", "5s\n", "1e3s"])
def test_what_is_no_duration_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 90s"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("1.5", 1.5), ("0", 0), ("2m", 120)])
def test_an_option_may_count_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text, bare_seconds=True) == seconds


@pytest.mark.parametrize("text", ["", ".", "1.2.3", "-1", "1e3", "١", "5 "])
def test_what_counts_no_seconds_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 90s"):
        parse_duration(text, bare_seconds=True)


@pytest.mark.parametrize("text", ["36501d", "99999999999d", "9" * 400 + "h"])
def test_what_no_date_can_hold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="the longest is 36500d"):
        parse_duration(text)


@given(st.integers(0, 10**10))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)
