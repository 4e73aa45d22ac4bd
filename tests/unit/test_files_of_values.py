"""YAML and JSON files as people write them: merge keys, anchors, what `json.dump` writes."""

import json
from typing import Any

import pytest

from perles.config.yamlfile import parse
from perles.domain.errors import UsageError


def test_merge_keys_bring_what_stands_elsewhere_and_own_keys_go_before_it() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc:\n  <<: [*a, {z: 9, x: 7}]\n  w: 0\n"

    assert parse(text, "f").plain() == {
        "a": {"x": "1", "y": "2"},
        "b": {"x": "1", "y": "3"},
        "c": {"x": "1", "y": "2", "z": "9", "w": "0"},
    }


def test_a_value_that_was_merged_keeps_the_line_where_it_stands() -> None:
    root = parse("a: &a\n  x: 1\nb:\n  <<: *a\n", "f")

    assert root.mapping()["b"].mapping()["x"].where == "f:2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {<<: 3}", "f:2: <<: expected keys and values"),
        ("a: 1\nb: {<<: [1]}", "f:2: <<: expected keys and values"),
        ("a: &a {<<: *a}", "f:1: too many or too deep"),
    ],
)
def test_a_merge_of_what_is_no_mapping_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text, "f")


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_whatever_json_dump_writes_is_read_as_it_was(indent: Any, ascii_only: bool) -> None:
    value = {
        "a\t😀": "x/😀 \t\u2028\x85\x7f\u2029\ufeff y\n",
        "list": ["\\ud83d\\ude00", "\\", '"', ""],
        "nothing": None,
    }

    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    assert parse(text, "f").plain() == value
