"""What commands write to $PERLES_OUTPUT: what is read of it, and what is refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.output_values import MAX_BYTES, WrittenError, values_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {}),
        (b"\n\n", {}),
        (b"a=1\nb=x=y\n", {"a": "1", "b": "x=y"}),
        (b"a=1\r\nb=\r\n", {"a": "1", "b": ""}),
        (b"a=1\na=2", {"a": "2"}),
        (b" a =  1 ", {"a": "  1 "}),
        (b"a<<END\none\n\ntwo=2\nEND\nb=3", {"a": "one\n\ntwo=2", "b": "3"}),
        (b'{"a": 1, "b": "x\\ny", "c": [1, {"d": null}], "e": null, "f": true}',
         {"a": "1", "b": "x\ny", "c": '[1, {"d": null}]', "e": "", "f": "true"}),
        (b'{"a": "\\ud800"}', {"a": "?"}),
        ("größe=ö".encode(), None),
    ],
)  # fmt: skip
def test_what_is_written_is_read(content: bytes, expected: dict[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(WrittenError, match="is no name"):
            values_of(content)
    else:
        assert values_of(content) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", "line 1 is no name=value"),
        (b"a=1\n=2", "is no name"),
        (b"1a=2", "is no name"),
        (b"a b=2", "is no name"),
        (b"a<<END\nx", "no line is 'END'"),
        (b"a=\xff", "byte 2 is not UTF-8"),
        (b"a=\0", "holds a NUL"),
        (b"{", "it is no JSON"),
        (b'{"a b": 1}', "is no name"),
        (b'{"a":' + b"[" * 30_000 + b"}", "it is no JSON"),
        (b"a=" + b"x" * MAX_BYTES, "over 64 KiB"),
        (b"".join(b"n%d=1\n" % number for number in range(101)), "101 names"),
    ],
)
def test_what_is_no_value_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(WrittenError) as refused:
        values_of(content)
    assert said in str(refused.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(WrittenError):
        assert all(isinstance(value, str) for value in values_of(content).values())


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(st.characters(codec="utf-8")).filter(
            lambda text: "\0" not in text
        ), max_size=5,
    )
)  # fmt: skip
def test_json_gives_every_text_back(values: dict[str, str]) -> None:
    assert values_of(json.dumps(values).encode()) == values
