"""`{{ args.NAME }}`, `{{ matrix.NAME }}`, `{{ item }}`: what is known before a task begins.

A command gets a reference to a variable, so that no text becomes code; any other text gets the
value. Values go by the path that a file writes: `args.version`, `matrix.os`, `item`, `item.host`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.templates.shell_reader import OUTPUT, PLAIN, WORD, Place

Values = Mapping[str, str]
"""Texts by path."""

_VALUE: Final = lazy_pattern(
    r"\{\{-?\s*((args|matrix)\.([A-Za-z_][\w-]*)|item(?:\.([A-Za-z_]\w*))?)\s*-?\}\}"
)
_PREFIX: Final = {"args": "ARG_", "matrix": "MATRIX_"}
_WORDS: Final = lazy_pattern(r"[A-Za-z0-9_./:@%+=,-]+")
_PLAINS: Final = lazy_pattern(r"[A-Za-z0-9_.-]+")
PUBLIC: Final = "PERLES_"


class Found(NamedTuple):
    """A reference in a text: where it stands, and which value it wants."""

    start: int
    end: int
    path: str


def found_in(text: str) -> Iterator[Found]:
    """The references to values in a text."""
    for match in _VALUE.finditer(text):
        yield Found(match.start(), match.end(), match.group(1))


def variable(path: str) -> str:
    """What follows `PERLES_` in the name of the variable that holds a value."""
    root, _, name = path.partition(".")
    if root == "item":
        return f"ITEM_{name}" if name else "ITEM"
    return _PREFIX[root] + name.replace("-", "_")


def fill_values(text: str, value: Callable[[str], str | None]) -> str:
    """A text with values for its references; `value` gives that of a path, None to leave it."""

    def one(match: re.Match[str]) -> str:
        found = value(match.group(1))
        return match.group(0) if found is None else found

    return _VALUE.sub(one, text)


def plain_words(name: str, text: str) -> dict[str, str]:
    """The variables by which other programs read a text as code, where it is a plain word."""
    word = text.strip()
    kinds = ((WORD, _WORDS), (PLAIN, _PLAINS))
    return {prefix + name: word for prefix, kind in kinds if kind.fullmatch(word)}


def variables(script: str, values: Values) -> dict[str, str]:
    """The variables of a command: those of the values that its script names, in either way."""
    wanted = {found.path for found in found_in(script)}
    given: dict[str, str] = {}
    for path, text in values.items():
        name = variable(path)
        if path in wanted:
            given |= {OUTPUT + name: text, **plain_words(name, text)}
        if path in wanted or PUBLIC + name in script:
            given[PUBLIC + name] = text
    return given


def item_variables(script: str) -> set[str]:
    """The variables that hold the items which a script names."""
    return {OUTPUT + variable(one.path) for one in found_in(script) if one.path.startswith("item")}


def is_guard(name: str) -> bool:
    """Whether a variable is but for places where another program would read a text as code."""
    return name.startswith((WORD, PLAIN))


def places(script: str, given: Collection[str]) -> Iterator[Place]:
    """Where a command wants values that its variables, by these names, hold."""
    for found in found_in(script):
        name = variable(found.path)
        if OUTPUT + name in given:
            yield Place(found.start, found.end, name)
