"""YAML files read with their line numbers, so that an error can name the place.

A document becomes a tree of nodes; its reader asks for what it expects and
gets a `UsageError` that names file, line and key where it finds something else.
Scalars keep their raw text: `version: 1.10` is "1.10".
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import yaml

from perles.config.json_text import as_yaml
from perles.domain.duration import parse_duration
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.records import dataclass
from perles.domain.size import parse_size

MIB: Final = 1024 * 1024
MAX_BYTES: Final = MIB
MAX_NODES: Final = 200_000
"""Nodes of one document, aliases counted as often as they are used."""
MAX_DEPTH: Final = 50

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = "tag:yaml.org,2002:merge"

_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off"}


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a file: `value` is a str, None, a list of nodes or a dict of nodes."""

    value: str | list[Node] | dict[str, Node] | None
    source: str
    line: int
    key: str = ""

    @property
    def where(self) -> str:
        """`file:line`; the source alone where it has no lines (line 0)."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def error(self, problem: str) -> UsageError:
        """The error to raise for this value."""
        key = f"{self.key}: " if self.key else ""
        return UsageError(f"cannot use {self.where}: {key}{problem}")

    def having(self, value: str | list[Node] | dict[str, Node]) -> Node:
        """The same place with another value; `dataclasses.replace` is slow for thousands."""
        return Node(value, self.source, self.line, self.key)

    def mapping(self, known: Iterable[str] | None = None) -> dict[str, Node]:
        """The entries of a mapping, whose keys must be among `known`."""
        if not isinstance(self.value, dict):
            raise self.error(f"expected keys and values, found {self._kind()}")
        if known is not None:
            words = list(known)
            for name, node in self.value.items():
                if name not in words:
                    hint = nearest(name, words) or f"; known are {', '.join(words)}"
                    raise node.error(f"unknown key{hint}")
        return self.value

    def items(self) -> list[Node]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            raise self.error(f"expected a list, found {self._kind()}")
        return self.value

    def text(self) -> str:
        """The raw text of a scalar."""
        if not isinstance(self.value, str):
            raise self.error(f"expected text, found {self._kind()}")
        if "\0" in self.value:
            raise self.error("holds a NUL character")
        return self.value

    def integer(self, low: int, high: int | None = None) -> int:
        """A whole number in a range."""
        text = self.text()
        try:
            number = int(text, 10)
        except ValueError:
            raise self.error(f"expected a whole number, found {_cut(text)}") from None
        if number < low or (high is not None and number > high):
            limits = f"at least {low}" if high is None else f"{low} to {high}"
            raise self.error(f"{_cut(text)} is out of range; it must be {limits}")
        return number

    def amount(self) -> Decimal:
        """An amount of money: a decimal number, not negative."""
        text = self.text()
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.error(f"expected a number, found {_cut(text)}") from None
        if not (number.is_finite() and number >= 0):
            raise self.error(f"{_cut(text)} is out of range; it must be 0 or more")
        return number

    def boolean(self) -> bool:
        """true or false."""
        text = self.text().lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise self.error(f"expected true or false, found {_cut(text)}")

    def duration(self) -> float:
        """Seconds, written like `90s` or `2m`."""
        try:
            return parse_duration(self.text())
        except UsageError as error:
            raise self.error(str(error)) from None

    def positive_duration(self) -> float:
        """The same, above 0."""
        seconds = self.duration()
        if seconds <= 0:
            raise self.error("must be above 0")
        return seconds

    def size(self) -> int:
        """Bytes, written like `1GiB` or as a number; at least one."""
        try:
            size = parse_size(self.text())
        except UsageError as error:
            raise self.error(str(error)) from None
        if size < 1:
            raise self.error("must be at least one byte")
        return size

    def word(self, known: Iterable[str]) -> str:
        """One of the known words."""
        text, words = self.text(), list(known)
        if text not in words:
            raise self.error(
                f"unknown word {_cut(text)}{nearest(text, words)}; it is one of {', '.join(words)}"
            )
        return text

    def texts(self) -> Iterator[Node]:
        """All texts at and below it."""
        if isinstance(self.value, str):
            yield self
        elif isinstance(self.value, list | dict):
            for one in self.value.values() if isinstance(self.value, dict) else self.value:
                yield from one.texts()

    def plain(self) -> Any:
        """The whole tree below as dicts, lists and texts."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def _kind(self) -> str:
        if self.value is None:
            return "nothing"
        if isinstance(self.value, str):
            return _cut(self.value)
        return "a list" if isinstance(self.value, list) else "keys and values"


def read(path: Path) -> Node:
    """The document in a file. Raises `UsageError` for what is not YAML, not UTF-8, or too large."""
    return parse(read_text(path), str(path))


def read_bytes(path: Path, limit: int = MAX_BYTES, *, pipes: bool = False) -> bytes:
    """The first `limit` bytes of a regular file, which may be a link to one. Raises `OSError`.

    In a repository anything may stand in a file's place, and opening a pipe or reading a device
    would never end. `pipes` are read too, where a person named one: `<(command)`, /dev/stdin.
    """
    waits = 0 if pipes else os.O_NONBLOCK
    fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | waits)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(limit)


def read_text(path: Path, limit: int = MAX_BYTES, *, pipes: bool = False) -> str:
    """The text of a file. Raises `UsageError` when it is missing, too large, or not UTF-8.

    `pipes` as for `read_bytes`.
    """
    try:
        content = read_bytes(path, limit + 1, pipes=pipes)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; check the name") from error
    if len(content) > limit:
        raise UsageError(f"cannot use {path}: it is over {limit // MIB} MiB; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"cannot use {path}:{line}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error


def parse(text: str, source: str) -> Node:
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


def _cut(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
