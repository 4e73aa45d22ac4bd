"""Is a spec made of what it says? Scripts are not type-checked, and may hand over anything."""

import os
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from itertools import chain
from typing import Any, Final, NamedTuple

from perles.domain.errors import UsageError
from perles.domain.plain import LARGEST, is_text
from perles.domain.specs import WorkflowSpec


class _Kind(NamedTuple):
    types: tuple[type, ...]
    told: str


_TEXT: Final = _Kind((str,), "text, in UTF-8")
_NUMBER: Final = _Kind((int,), "a whole number, at most 2^63 - 1")
_AMOUNT: Final = _Kind((int, float, Decimal), "a number")
_FLAG: Final = _Kind((bool,), "True or False")
_FOLDER: Final = _Kind((str, os.PathLike), "a folder's path, in UTF-8")
_TEXTS: Final = _Kind((Mapping,), "a mapping of texts to texts")
_WORDS: Final = _Kind((list, tuple), "a list of texts, in UTF-8")
_KINDS: Final = {
    "template_id": _TEXT,
    "name": _TEXT,
    "priority": _TEXT,
    "labels": _TEXTS,
    "token_budget": _NUMBER,
    "cost_budget": _AMOUNT,
    "work_dir": _FOLDER,
    "worktree": _FLAG,
    "git_branch": _TEXT,
    "base_branch": _TEXT,
    "workers": _NUMBER,
    "args": _TEXTS,
    "goal": _TEXT,
    "coordinator": _TEXT,
    "worker": _TEXT,
    "tasks": _WORDS,
    "from_tasks": _WORDS,
    "skip_tasks": _WORDS,
    "on": _WORDS,
}
assert set(_KINDS) == {field.name for field in fields(WorkflowSpec)}


def check_types(spec: WorkflowSpec) -> None:
    """Raises `UsageError` for the first value that is not of its field's type."""
    if not isinstance(spec, WorkflowSpec):
        raise UsageError(f"cannot create {spec!r}: give a WorkflowSpec")
    for field in fields(spec):
        value, kind = getattr(spec, field.name), _KINDS[field.name]
        if value is None and field.default is None:
            continue
        if not _fits(value, kind):
            raise UsageError(f"cannot use {field.name}={value!r}: it must be {kind.told}")


def _fits(value: Any, kind: _Kind) -> bool:
    if isinstance(value, bool) or not isinstance(value, kind.types):
        return kind is _FLAG and isinstance(value, bool)
    if isinstance(value, int):
        return abs(value) <= LARGEST
    if isinstance(value, (list, tuple)):
        return all(_fits(text, _TEXT) for text in value)
    if isinstance(value, Mapping):
        return all(isinstance(text, str) and _fits(text, _TEXT) for text in chain(*value.items()))
    return not isinstance(value, (str, os.PathLike)) or is_text(os.fspath(value))
