"""The builtin agents' JSON: that of the standard library, at a tenth of its start."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.agents.builtin.lean_stdlib import dumps, loads

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(_VALUES)
def test_what_is_written_and_read_is_what_the_standard_library_would(value: object) -> None:
    text = json.dumps(value)

    assert dumps(value) == text
    assert loads(text) == loads(text.encode()) == json.loads(text)
    assert loads(f" \r\n\t{json.dumps(value, indent=2)}\n") == value


@given(st.text(alphabet='{}[]",:1tn\\u \n'))
def test_what_is_no_json_for_the_standard_library_is_none_here(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - the same class, another text
            loads(text)
    else:
        assert loads(text) == expected


def test_what_json_has_no_word_for_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        dumps({"a": {1}})
