"""How long something took, for people: one rule, in a wide form and a narrow one."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.duration import short_span, span

SOURCES = Path(__file__).resolve().parents[2] / "perles"


@pytest.mark.parametrize(
    ("seconds", "wide", "narrow"),
    [
        (None, "-", "-"),
        (0, "0s", "0s"),
        (59.9, "59s", "59s"),
        (60, "1m00s", "1m"),
        (192, "3m12s", "3m"),
        (3599, "59m59s", "59m"),
        (3600, "1h00m", "1h00"),
        (14700, "4h05m", "4h05"),
        (86399, "23h59m", "23h59"),
        (183600, "2d03h", "2d03h"),
        (1_000_000, "11d13h", "11d"),
        (10_368_000, "120d00h", "120d"),
        (-3587, "0s", "0s"),
    ],
)
def test_a_span_in_both_forms(seconds: float | None, wide: str, narrow: str) -> None:
    assert (span(seconds), short_span(seconds)) == (wide, narrow)


@given(st.floats(0, 999 * 86400))
def test_the_narrow_form_is_the_beginning_of_the_wide_one(seconds: float) -> None:
    assert span(seconds).startswith(short_span(seconds))
    assert len(short_span(seconds)) <= 5


def test_no_other_module_writes_spans_of_its_own() -> None:
    """A second formatter divides seconds by 60 and writes minutes."""
    writes = re.compile(r"//\s*60\b.*\{|f\"[^\"]*//\s*60\b|//\s*60\}m")
    found = [
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        if path.name != "duration.py" and writes.search(path.read_text())
    ]
    assert found == []
