"""The table of keys: each has a shape and an example, and the example is read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.templates.instantiate import plan_of
from perles.templates.keys.key import At, Key
from perles.templates.keys.schema import pipeline_schema
from perles.templates.keys.table import FAMILIES, keys
from perles.templates.pipeline import read_pipeline
from perles.templates.template_file import read_templates


class _Loader(yaml.SafeLoader):
    """YAML 1.2, as editors read it: only true and false are yes and no."""


_Loader.yaml_implicit_resolvers = {
    letter: [found for found in resolvers if letter in "tfTF" or not found[0].endswith("bool")]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
HERE = list(keys(At.FILE | At.TASK))


def _text(key: Key) -> str:
    """A whole file with the example of a key."""
    if key.example.startswith("- "):
        return f"name: x\ntasks:\n{key.example}\n"
    return f"name: x\n{key.example}\ntasks: [{{key: a, run: b}}]\n"


def _names(value: Any) -> set[str]:
    """The keys of a value, at every depth."""
    if isinstance(value, dict):
        return set(value) | {name for part in value.values() for name in _names(part)}
    return {name for part in value for name in _names(part)} if isinstance(value, list) else set()


@pytest.mark.parametrize("key", HERE, ids=lambda key: key.name)
def test_the_example_of_a_key_is_read(key: Key, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(_text(key))
    other = "parameters: {target: x64}\ntasks: [{key: build, run: make}]\n"
    (tmp_path / "other.yaml").write_text(other)

    plan = read_pipeline(path)

    assert plan.tasks
    assert key.name in _names(yaml.load(_text(key), _Loader))


@pytest.mark.parametrize("key", HERE, ids=lambda key: key.name)
def test_the_example_of_a_key_fits_the_schema(key: Key) -> None:
    jsonschema = pytest.importorskip("jsonschema")

    jsonschema.validate(yaml.load(_text(key), _Loader), pipeline_schema())


def test_the_schema_refuses_what_is_no_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    file = {"name": "x", "tasks": [{"key": "a", "run": "b", "timeuot": "1m"}]}

    with pytest.raises(jsonschema.ValidationError, match="timeuot"):
        jsonschema.validate(file, pipeline_schema())


def test_no_key_stands_twice_in_the_table() -> None:
    for at in At:
        names = [key.name for key in keys(at)]
        assert len(names) == len(set(names))


def test_every_key_says_what_it_does() -> None:
    for family in FAMILIES:
        for key in family.keys:
            assert key.doc.endswith("."), key.name


def test_a_key_for_commands_is_read_at_a_node_of_a_template_too(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        "registry:\n- {namespace: workflow, key: a, version: v1, nodes: ["
        "{key: b, run: c, dir: web, retries: {max: 2, delay: 3s}, after: []}]}\n"
    )

    (template,) = read_templates(tmp_path / "template.yaml", "file")

    task = template.nodes[0].task
    assert (task.execution.dir, task.retries, task.execution.retry.delay) == ("web", 2, 3.0)


def test_a_condition_of_a_template_knows_defaults_of_arguments(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        "registry:\n- namespace: workflow\n  key: a\n  version: v1\n"
        "  arguments: [{key: target, label: T, type: text, default: prod}]\n"
        "  nodes: [{key: b, run: c, when: args.target == 'prod'}]\n"
        "  finally: [{key: d, run: e}]\n"
    )
    (template,) = read_templates(tmp_path / "template.yaml", "file")

    assert [task.when for task in plan_of(template, {}).tasks] == ["'prod' == 'prod'", "always"]
    given = plan_of(template, {"target": "it's"}).tasks
    assert (given[0].when, given[1].last) == ("\"it's\" == 'prod'", True)
