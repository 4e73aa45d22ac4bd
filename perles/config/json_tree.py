"""A document that is one line of JSON as a tree of nodes, without a reader of YAML.

That is how a single command becomes a pipeline, and to import the reader takes longer than all
that is done with it then.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from perles.config.node import MAX_DEPTH, Node
from perles.domain.plain import is_text

MAX_LETTERS: Final = 64 * 1024
"""Of a longer line it may be worth while to tell what is wrong in it, which the other one does."""


class _Pairs(NamedTuple):
    """The entries of an object, before it is known whether a key stands twice."""

    pairs: list[tuple[str, Any]]


class _NotPlainError(Exception):
    """What is read as YAML, which tells what is wrong with it."""


def tree(text: str, source: str) -> Node | None:
    """The document; None where the text is something else, or something is wrong with it."""
    line = text.rstrip("\n")
    if line[:1] != "{" or len(line) > MAX_LETTERS or len(line.splitlines()) > 1:
        return None
    try:
        found = json.loads(
            line, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_refuse
        )
        return _node(found, source, "", 0)
    except (ValueError, RecursionError, _NotPlainError):
        return None


def _refuse(_word: str) -> None:
    raise _NotPlainError


def _node(found: Any, source: str, key: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _NotPlainError
    value: str | list[Node] | dict[str, Node] | None
    if isinstance(found, _Pairs):
        value = {
            name: _node(one, source, f"{key}.{_text(name)}" if key else _text(name), depth + 1)
            for name, one in found.pairs
        }
        if len(value) < len(found.pairs):
            raise _NotPlainError
    elif isinstance(found, list):
        value = [
            _node(one, source, f"{key}[{place}]", depth + 1) for place, one in enumerate(found)
        ]
    elif isinstance(found, bool):
        value = "true" if found else "false"
    else:
        value = None if found is None else _text(found)
    return Node(value, source, 1, key)


def _text(text: str) -> str:
    if not is_text(text):
        raise _NotPlainError
    return text
