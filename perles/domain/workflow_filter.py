"""Which workflows to list, however somebody says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from perles.domain.errors import UsageError
from perles.domain.states import PRIORITIES, WORKFLOW

DEFAULT_LIMIT: Final = 100
SORTS: Final = (
    *("created", "attention", "name", "state", "priority", "tokens", "cost", "started"),
)
"""The orders that a list can have."""


class WorkflowFilter(NamedTuple):
    """Which workflows to list. `limit` None means all; archived ones only with `everything`.

    `name` is part of a name, whatever its case, or a glob for all of it; `filter` is in the
    language of `perles.domain.filter_language`. `since` and `until` are times of creation as the
    database writes them.
    """

    states: Sequence[str] = ()
    labels: Sequence[tuple[str, str]] = ()
    template: str | None = None
    priority: str | None = None
    name: str | None = None
    limit: int | None = DEFAULT_LIMIT
    everything: bool = False
    filter: str = ""
    sort: str = "created"
    since: str | None = None
    until: str | None = None


def filter_of(**given: Any) -> WorkflowFilter:
    """The filter that a program means: states also as one text, labels also as a mapping.

    Raises `UsageError` for a filter, a state or a priority that there is not.
    """
    for name in given:
        if name not in WorkflowFilter._fields:
            raise _unknown("filter", name, WorkflowFilter._fields)
    if given.get("priority") is not None and given["priority"] not in PRIORITIES:
        raise _unknown("priority", given["priority"], PRIORITIES)
    limit = given.get("limit")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise UsageError(f"cannot list {limit!r} workflows: limit is 1 or more, None for all")
    if given.get("sort", SORTS[0]) not in SORTS:
        raise _unknown("order", given["sort"], SORTS)
    for name in ("name", "template", "filter"):
        if not isinstance(given.get(name), str | None):
            raise UsageError(f"cannot filter by {name} {given[name]!r}: give a text")
    if given.get("filter"):
        from perles.domain.filter_language import parse_query

        parse_query(given["filter"])
    states, labels = _states(given.pop("states", ())), label_pairs(given.pop("labels", ()))
    return WorkflowFilter(states=states, labels=labels, **given)


def _states(given: object) -> tuple[str, ...]:
    if not isinstance(given, Iterable):
        raise UsageError(f"cannot filter by state {given!r}: give a text, or several")
    words = [word.strip() for word in given.split(",")] if isinstance(given, str) else list(given)
    for word in words:
        if word not in WORKFLOW.states:
            raise _unknown("state", word, WORKFLOW.states)
    return tuple(words)


def label_pairs(given: object) -> tuple[tuple[str, str], ...]:
    """Labels as pairs, however they are given. Raises `UsageError`."""
    found = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(found, Iterable):
        found = [found]
    return tuple(_label_pair(pair) for pair in found)


def _label_pair(given: object) -> tuple[str, str]:
    pair = list(given) if isinstance(given, list | tuple) else []
    if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
        raise UsageError(
            f"cannot filter by label {given!r}: give labels as a mapping, or as pairs, of texts"
        )
    return pair[0], pair[1]


def _unknown(what: str, word: object, known: Sequence[str]) -> UsageError:
    from perles.domain.nearest import nearest

    hint = nearest(str(word), known)
    return UsageError(f"cannot filter by {what} {word!r}{hint}; known are {', '.join(known)}")
