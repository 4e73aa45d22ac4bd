"""A document in YAML as a tree of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from perles.config.json_text import as_yaml
from perles.config.node import MAX_DEPTH, MAX_NODES, Node
from perles.domain.errors import UsageError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = "tag:yaml.org,2002:merge"


def tree(text: str, source: str) -> Node:
    """The document in a text; an empty one is an empty mapping. Raises `UsageError`."""
    try:
        root = yaml.compose(as_yaml(text), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UsageError(
            f"cannot use {source}:{line}: not YAML: {error.problem}; check the indentation there"
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"cannot use {source}: not YAML: {said[:200]}") from error
    if root is None:
        return Node({}, source, 1)
    return _Builder(source).build(root, "", 0)


class _Builder:
    def __init__(self, source: str) -> None:
        self._source = source
        self._left = MAX_NODES

    def build(self, node: yaml.Node, key: str, depth: int) -> Node:
        """Our node for one of the parser's."""
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise UsageError(f"cannot use {self._source}:{line}: too many or too deep values")
        value: str | list[Node] | dict[str, Node] | None
        if isinstance(node, yaml.ScalarNode):
            empty = node.tag == "tag:yaml.org,2002:null"
            value = None if empty else str(node.value)
        elif isinstance(node, yaml.SequenceNode):
            value = [
                self.build(item, f"{key}[{index}]", depth + 1)
                for index, item in enumerate(node.value)
            ]
        else:
            assert isinstance(node, yaml.MappingNode)
            value = dict(self._entries(node, key, depth))
        return Node(value, self._source, line, key)

    def _entries(self, node: yaml.MappingNode, key: str, depth: int) -> Iterator[tuple[str, Node]]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                raise UsageError(f"cannot use {self._source}:{line}: a key must be plain text")
            if name_node.tag == _MERGE:
                for name, value in self._merged(value_node, key, depth):
                    merged.setdefault(name, value)
                continue
            name = str(name_node.value)
            if name in own:
                raise UsageError(
                    f"cannot use {self._source}:{line}: {name}: stands twice; remove one"
                )
            own[name] = self.build(value_node, f"{key}.{name}" if key else name, depth + 1)
        yield from {**merged, **own}.items()

    def _merged(self, node: yaml.Node, key: str, depth: int) -> Iterator[tuple[str, Node]]:
        """The entries of what `<<` names, a mapping or a list of them; of two, the first counts."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                raise UsageError(
                    f"cannot use {self._source}:{node.start_mark.line + 1}: <<: expected keys and "
                    "values, such as *NAME of an anchor, or a list of them"
                )
            self._left -= 1
            if self._left < 0 or depth > MAX_DEPTH:
                raise UsageError(
                    f"cannot use {self._source}:{source.start_mark.line + 1}: "
                    "too many or too deep values"
                )
            yield from self._entries(source, key, depth + 1)
