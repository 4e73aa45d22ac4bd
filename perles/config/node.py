"""A value in a file that people write, with its place, so that an error can name it.

Its reader asks for what it expects and gets a `UsageError` that names file, line and key where it
finds something else. Scalars keep their raw text: `version: 1.10` is "1.10".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from perles.domain.duration import parse_duration
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.records import dataclass
from perles.domain.size import parse_size

MAX_NODES: Final = 200_000
"""Nodes of one document, aliases counted as often as they are used."""
MAX_DEPTH: Final = 50

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


def _cut(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
