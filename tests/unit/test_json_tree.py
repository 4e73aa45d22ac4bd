"""A line of JSON: read as YAML reads it, or left to that."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.config import json_tree, yaml_tree

TEXTS = st.text(max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
LEFT = ["", "a: b", "[1]", "{a: b}", '{"a": 1,\n"b": 2}', '{"a": 1, "a": 2}', '{"a": NaN}', "{"]


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans())
def test_it_is_read_as_yaml_reads_it(document: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(document, ensure_ascii=escaped)

    found = json_tree.tree(text, "here")

    if found is None:
        assert len(text.splitlines()) > 1
    else:
        assert found == yaml_tree.tree(text, "here")


@pytest.mark.parametrize("text", [*LEFT, '{"a": "\\ud800"}', '{"a":' * 60 + "1" + "}" * 60])
def test_all_else_is_left_to_yaml(text: str) -> None:
    assert json_tree.tree(text, "here") is None


def test_a_single_command_needs_no_reader_of_yaml() -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from perles.templates.one_command import pipeline_file\n"
        "from perles.templates.pipeline import read_pipeline\n"
        "with pipeline_file('echo it\\ttabs \U0001f600', 'x') as file:\n"
        "    print(ascii(read_pipeline(Path(file)).tasks[0].run), 'yaml' in sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert said.split(", ")[-1] == "'echo it\\ttabs \\U0001f600' False\n"
