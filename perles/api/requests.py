"""What a program asks for: which workflows, which events, how to stop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from threading import TIMEOUT_MAX
from typing import Any, TypedDict

from perles.domain.duration import GRACE, LONGEST, is_seconds
from perles.domain.errors import UsageError
from perles.domain.records import dataclass
from perles.domain.states import WorkflowPriority, WorkflowState
from perles.domain.workflow_filter import DEFAULT_LIMIT, WorkflowFilter, filter_of, label_pairs

States = WorkflowState | str | Iterable[WorkflowState | str]
Labels = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """Which workflows to list: a workflow has to match all fields.

    `states` may be one, a text such as "running,paused", or several. `labels` are what a
    workflow must have, all of them. `name` is part of a name, whatever its case, or a glob.
    `filter_by` is a text such as `state:running agent:codex cost:>2`, `sort` an order of the
    dashboard's table. `limit` None means all; `offset` is how many of the newest to leave out.
    `archived` adds archived workflows. Raises `UsageError` for what cannot be.
    """

    states: States = ()
    template_id: str | None = None
    labels: Labels = field(default_factory=dict)
    priority: WorkflowPriority | str | None = None
    name: str | None = None
    filter_by: str = ""
    sort: str = "created"
    limit: int | None = DEFAULT_LIMIT
    offset: int = 0
    archived: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.offset, bool) or not isinstance(self.offset, int) or self.offset < 0:
            raise UsageError(f"cannot list from {self.offset!r}: offset is a number, 0 or more")
        self.filter()

    def filter(self) -> WorkflowFilter:
        """The filter that the façade takes: it knows no offset."""
        limit = self.limit
        if limit is not None and isinstance(limit, int) and not isinstance(limit, bool):
            limit = limit + self.offset if limit > 0 else limit
        return filter_of(
            states=self.states,
            template=self.template_id,
            labels=self.labels,
            priority=self.priority,
            name=self.name,
            limit=limit,
            everything=self.archived,
            filter=self.filter_by,
            sort=self.sort,
        )


class ListFilters(TypedDict, total=False):
    """The fields of a `ListQuery` as keywords; the last two are as on the command line."""

    states: States
    template_id: str | None
    labels: Labels
    priority: WorkflowPriority | str | None
    name: str | None
    filter_by: str
    sort: str
    limit: int | None
    offset: int
    archived: bool
    template: str | None
    everything: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to read: an event has to match all fields; an empty field matches all.

    `types` and `exclude` are globs of event types, `"task.*,turn.*"` or several texts.
    `workflows` are ids, unique prefixes of ids, or unique names; `labels` what an event's
    workflow must have, all of them. Raises `UsageError` for what cannot be.
    """

    types: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()
    workflows: str | Sequence[str] = ()
    labels: Labels = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("types", "exclude", "workflows"):
            for text in _texts(name, getattr(self, name)):
                if not text.strip():
                    raise UsageError(f"cannot filter events: {name} has an empty text")
        label_pairs(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOptions:
    """How to stop a workflow: its agents have `grace` seconds to end, none with `force`.

    With `wait=False` the call does not wait for the end. Raises `UsageError` for invalid values.
    """

    reason: str | None = None
    force: bool = False
    grace: float = GRACE
    wait: bool = True

    def __post_init__(self) -> None:
        if self.reason is not None and not isinstance(self.reason, str):
            raise UsageError(f"cannot stop with reason={self.reason!r}: it must be text")
        if not is_seconds(self.grace) or not 0 <= self.grace <= LONGEST:
            raise UsageError(
                f"cannot stop with grace={self.grace!r}: it is seconds, 0 to {LONGEST:.0f}"
            )


def _texts(name: str, given: Any) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, Iterable) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"cannot filter events by {name}={given!r}: give a text or several")
    return tuple(texts)


def seconds_of(timeout: float | None) -> float | None:
    """How long to wait; None for ever. Raises `UsageError`."""
    if timeout is None:
        return None
    if not is_seconds(timeout):
        raise UsageError(f"cannot wait with timeout={timeout!r}: it is seconds, or None")
    # No clock counts as far as some numbers go: what is longer than a wait can be has no end.
    return None if timeout > TIMEOUT_MAX / 2 else timeout


def deadline_of(timeout: float | None) -> float | None:
    """When a wait is over, by the monotonic clock; None for never. Raises `UsageError`."""
    seconds = seconds_of(timeout)
    return None if seconds is None else time.monotonic() + seconds
