"""What waits for a person, by workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple


class Attention(NamedTuple):
    """The rows of the inbox by workflow: the newest of each, and its oldest question."""

    newest: Mapping[str, int] = {}
    asked: Mapping[str, str] = {}


NOBODY: Final = Attention()
QUESTIONS: Final = ("approval", "question", "notification")
"""Kinds of the inbox that ask a person something."""


def attention(waiting: Sequence[Mapping[str, Any]]) -> Attention:
    """What the rows of the inbox, newest first, say of each workflow."""
    newest: dict[str, int] = {}
    asked: dict[str, str] = {}
    for one in waiting:
        newest.setdefault(one["workflow_id"], one["seq"])
        if one["kind"] in QUESTIONS:
            asked[one["workflow_id"]] = str(one["text"])
    return Attention(newest, asked)
