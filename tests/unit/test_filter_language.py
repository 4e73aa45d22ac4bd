"""The filter language, and times as people write them: pure."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.domain.filter_language import Term, parse_query
from perles.domain.moments import parse_moment
from perles.domain.workflow_filter import SORTS
from perles.store.reads import dashboard

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("state:running,paused", (Term("state", ("running", "paused")),)),
        ("Running", (Term("state", ("running",)),)),
        ('"running"', (Term("text", ("running",)),)),
        (
            "label:team=red -label:old",
            (Term("label", ("team=red",)), Term("label", ("old",), negated=True)),
        ),
        ("team=red", (Term("label", ("team=red",)),)),
        ("agent:codex nightly", (Term("agent", ("codex",)), Term("text", ("nightly",)))),
        ("cost:>2 tokens:<=1_000", (Term("cost", (), ">", 2.0), Term("tokens", (), "<=", 1000.0))),
        ("age:<2h30m", (Term("age", (), "<", 9000.0),)),
        (
            'name:"two words" -"not this"',
            (Term("name", ("two words",)), Term("text", ("not this",), negated=True)),
        ),
        ("is:waiting", (Term("is", ("waiting",)),)),
    ],
)
def test_words_are_terms(text: str, terms: tuple[Term, ...]) -> None:
    assert parse_query(text) == terms
    assert parse_query(text, lenient=True) == terms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:runing", "did you mean 'running'"),
        ("stat:running", "did you mean 'state'"),
        ("cost:much", "write it as cost:>2"),
        ("cost:>nan", "it is no number"),
        ("age:>2 weeks", "not a duration"),
        ('name:""', "without a value"),
        ("priority:urgent", "it is one of low, normal, high"),
    ],
)
def test_a_word_that_cannot_be_is_named_or_left_out(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_query(text)
    assert all(term.key == "text" for term in parse_query(text, lenient=True))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab:-",<>=. staterunig0', max_size=30))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    parse_query(text, lenient=True)
    with contextlib.suppress(UsageError):
        parse_query(text)


def test_the_orders_are_those_of_the_dashboard() -> None:
    assert set(SORTS) == set(dashboard.SORTS)


def test_times() -> None:
    assert parse_moment("90m", NOW) == NOW - timedelta(minutes=90)
    assert parse_moment("2026-01-30T10:00:00+02:00", NOW) == datetime(2026, 1, 30, 8, tzinfo=UTC)
    assert parse_moment("2026-01-30", NOW).astimezone().hour == 0
    for wrong in ("yesterday", "2026-13-01", "", "-1h", "2026-01-30Tx"):
        with pytest.raises(UsageError, match="write it like"):
            parse_moment(wrong, NOW)
