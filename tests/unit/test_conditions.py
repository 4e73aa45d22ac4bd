"""The language of `when`: what it says, and what it refuses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.condition_tree import ConditionError, Value
from perles.domain.conditions import parse

VALUES: dict[str, Value] = {
    "tasks.test.status": "failed",
    "tasks.test.exit_code": 2.0,
    "tasks.test.output": "no rule to make it\nBOOM",
    "tasks.test.outputs.count": "12",
    "tasks.my-task.status": "done",
    "args.target": "prod",
    "args.dry": "false",
    "args.none": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("false", False),
        ("null", False),
        ("'no'", False),
        ("'text'", True),
        ("args.dry", False),
        ("not args.dry", True),
        ("not not args.dry", False),
        ("args.target", True),
        ("args.none", False),
        ("args.none == null", True),
        ("args.none != null", False),
        ("args.none == 0", False),
        ("args.none > 0", False),
        ("tasks.test.status == 'failed'", True),
        ("'failed' == tasks.test.status", True),
        ('tasks.test.status != "failed"', False),
        ("tasks.my-task.status == 'done'", True),
        ("tasks.test.exit_code == 2", True),
        ("tasks.test.exit_code == '2'", True),
        ("tasks.test.exit_code >= 2 and tasks.test.exit_code < 3", True),
        ("tasks.test.outputs.count > 9", True),
        ("tasks.test.outputs.count == 12.0", True),
        ("-1 < 0", True),
        ("contains(tasks.test.output, 'BOOM')", True),
        ("contains(lower(tasks.test.output), 'boom')", True),
        ("startswith(tasks.test.output, 'BOOM')", False),
        ("endswith(tasks.test.output, 'BOOM')", True),
        ("contains(args.none, 'x')", False),
        ("false and false or true", True),
        ("false and (false or true)", False),
        ("true || false && false", True),
        ("!false", True),
        ("{{ args.target == 'prod' }}", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, expected: bool) -> None:
    assert parse(text).holds(VALUES.__getitem__) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("1 / 0", "'/' at character 3"),
        ("1 + 1", "cannot calculate"),
        ("2 ** 9", "cannot calculate"),
        ("tasks.test.status == 'success'", "it is one of done, failed, skipped"),
        ("tasks.test.status == 'faild'", "did you mean 'failed'"),
        ("tasks.test.state", "of a task there is"),
        ("test.status == 'done'", "nothing has that name"),
        ("contain('a', 'b')", "did you mean 'contains'"),
        ("contains('a')", "takes 2 values, not 1"),
        ("open('/etc/passwd')", "nothing has that name"),
        ("__import__('os')", "nothing has that name"),
        ("(true", "a ) must stand there"),
        ("true)", "nothing can stand there"),
        ("true true", "nothing can stand there"),
        ("1 < 2 < 3", "two values at a time"),
        ("and", "a value must stand there"),
        ("true and", "its end"),
        ("'open", "cannot calculate"),
        ("(" * 21 + "true" + ")" * 21, "nested deeper than 20"),
        ("lower(" * 30 + "'a'" + ")" * 30, "nested deeper than 20"),
        ("x" * 1001, "longer than 1000"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as refused:
        parse(text)
    assert said in str(refused.value)


def test_texts_that_are_no_numbers_cannot_be_ordered() -> None:
    with pytest.raises(ConditionError, match="'prod' is no number, which > compares"):
        parse("args.target > 3").holds(VALUES.__getitem__)


def test_a_condition_knows_what_it_asks_for() -> None:
    condition = parse("tasks.a.output == tasks.b.exit_code or args.x and tasks.b.outputs.n == 1")
    assert condition.tasks == {"a": {"output"}, "b": {"exit_code", "outputs.n"}}
    assert condition.arguments == {"x"}
    assert condition.decides_over == {"b"}


WORDS = st.sampled_from(
    [
        "(",
        ")",
        "not ",
        "and ",
        "or ",
        "==",
        "<",
        "'a'",
        "1",
        "true",
        "lower",
        ",",
        "args.x",
        "!",
        " ",
    ]
)


@given(st.lists(WORDS, max_size=250).map("".join) | st.text(max_size=1000))
def test_any_text_is_decided_or_refused(text: str) -> None:
    with suppress(ConditionError):
        assert parse(text).holds(lambda _: "7") in (True, False)
