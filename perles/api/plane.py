"""ControlPlane for Python programs: the façade, with typed values and subscriptions.

It has every verb of the façade that the command line uses; those here take and give classes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from perles.api.instance import Task, WorkflowDetails, WorkflowInstance, rows_of
from perles.api.place import Place
from perles.api.requests import (
    EventFilter,
    Labels,
    ListFilters,
    ListQuery,
    StopOptions,
    deadline_of,
)
from perles.api.subscription import Subscription
from perles.controlplane.engine_stop import need_seconds
from perles.controlplane.plane import ControlPlane as Facade
from perles.domain.duration import GRACE
from perles.domain.errors import UsageError
from perles.domain.states import WORKFLOW
from perles.domain.workflow_filter import label_pairs
from perles.store.events import reads as events_reads
from perles.store.reads.connection import keep

if TYPE_CHECKING:
    from perles.controlplane.hosted import HostedEngine
    from perles.controlplane.outcomes import Outcome

Workflows = list[WorkflowInstance]
ENDS: tuple[str, ...] = tuple(WORKFLOW.terminal)
HOSTED_SECONDS = 60.0
"""How long agents have to end when a program leaves that hosts the engine."""


class ControlPlane(Facade):
    """All workflows of one home folder.

    It uses the running engine. `start(…, with_engine=True)` starts one that outlives this program.
    With `host_engine`, the engine runs in this process if no other one runs, until `shutdown`,
    `close`, or the end of the `with` block. Thread-safe.

    A `ref` is an id, a unique prefix of one, or a unique name. All raise the classes of
    `perles.PerlesError`: `NotFoundError`, `AmbiguousIdError`, `WrongStateError`, `UsageError`,
    `DatabaseError` and so on.
    """

    def __init__(
        self,
        home_dir: str | os.PathLike[str] | None = None,
        *,
        config_file: str | os.PathLike[str] | None = None,
        host_engine: bool = False,
    ) -> None:
        super().__init__(
            None if home_dir is None else Path(home_dir),
            config_file=None if config_file is None else Path(config_file),
        )
        self._wants_to_host = host_engine
        self._hosted: HostedEngine | None = None
        self._let_go: Callable[[], None] | None = keep(self.database_path)

    def __enter__(self) -> ControlPlane:
        if self._wants_to_host:
            self.ensure_engine()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        let_go, self._let_go = getattr(self, "_let_go", None), None
        if let_go is not None:
            let_go()

    def close(self) -> None:
        """Close the database, and stop the engine if this process hosts it."""
        if self._hosted is not None:
            hosted, self._hosted = self._hosted, None
            hosted.stop(HOSTED_SECONDS)
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()
        database = self.__dict__.pop("_database", None)
        if database is not None:
            database.dispose()

    # The engine.

    def ensure_engine(self, *, exit_when_idle: bool = True) -> bool:
        """Make sure that an engine runs; return whether this call started it.

        With `host_engine` it runs in this process; otherwise it outlives this process.
        """
        if not self._wants_to_host:
            return super().ensure_engine(exit_when_idle=exit_when_idle)
        if self.engine_comes_back():
            return False
        from perles.controlplane.hosted import HostedEngine  # only hosting needs asyncio

        self.migrate()
        hosted = HostedEngine(self.paths, self.engine_config)
        if not hosted.start(lambda: self.engine_status() is not None):
            return False
        self._hosted = hosted
        return True

    def shutdown(self, timeout: float = 60.0) -> None:
        """Stop the engine. Running workflows are paused and can be resumed later.

        Agents that need longer than `timeout` seconds to end are killed. Raises `PerlesError`,
        and `PersonNeededError` for an agent.
        """
        if self._hosted is None:
            super().shutdown(timeout)
            return
        need_seconds(timeout)
        hosted, self._hosted = self._hosted, None
        hosted.stop(timeout)

    # Workflows.

    def get(self, ref: str) -> WorkflowDetails:  # type: ignore[override]  # typed, no dict
        """One workflow with its tasks and agents."""
        return WorkflowDetails(super().get(ref))

    def list(  # type: ignore[override]  # typed, no dicts
        self, query: ListQuery | None = None, **filters: Unpack[ListFilters]
    ) -> Workflows:
        """Workflows, newest first: those of a `ListQuery`, or of its fields as keywords."""
        if query is None:
            query = _query(filters)
        elif filters:
            raise UsageError("cannot list by a query and by keywords: put all into the ListQuery")
        elif not isinstance(query, ListQuery):
            raise UsageError(f"cannot list by {query!r}: give a ListQuery, or keywords")
        rows = self.registry.list(query.filter()).rows[query.offset :]
        return [WorkflowInstance(row) for row in rows]

    def start(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Start a pending workflow, as soon as there is room for it.

        `with_engine` starts an engine if none runs.
        """
        return super().start(ref, wait=wait, with_engine=with_engine or self._wants_to_host)

    def resume(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Resume a paused workflow; `with_engine` as for `start`."""
        return super().resume(ref, wait=wait, with_engine=with_engine or self._wants_to_host)

    def stop(
        self,
        ref: str,
        options: StopOptions | None = None,
        *,
        reason: str | None = None,
        force: bool = False,
        grace: float = GRACE,
        wait: bool = True,
    ) -> Outcome:
        """End a workflow for good, by its `StopOptions` or by their fields as keywords."""
        asked = StopOptions(reason=reason, force=force, grace=grace, wait=wait)
        if options is not None:
            if not isinstance(options, StopOptions):
                raise UsageError(f"cannot stop with {options!r}: give StopOptions, or keywords")
            if asked != StopOptions():
                raise UsageError("cannot stop by options and by keywords: put all into one")
            asked = options
        return super().stop(
            ref, reason=asked.reason, force=asked.force, grace=asked.grace, wait=asked.wait
        )

    def tasks(  # type: ignore[override]  # typed, no dicts
        self, ref: str | None = None, *, waiting: bool = False
    ) -> Sequence[Task]:
        """The tasks of one workflow or of all; `waiting` selects tasks that wait for a person."""
        return rows_of(super().tasks(ref, waiting=waiting))

    def wait(  # type: ignore[override]  # typed, no dict
        self,
        ref: str,
        *,
        timeout: float | None = None,
        states: str | Iterable[str] = ENDS,
    ) -> WorkflowDetails:
        """Wait until a workflow is in one of `states`, by default until it has ended.

        It also returns after `timeout` seconds, or when the workflow ends in another state: check
        its `state`.
        """
        deadline = deadline_of(timeout)
        wanted = awaited(states)
        workflow_id = self.registry.resolve(ref)
        with self.subscribe_workflow(workflow_id, types="workflow.*") as events:
            while self.state_of(workflow_id) not in wanted:
                left = None if deadline is None else deadline - time.monotonic()
                if (left is not None and left <= 0) or events.get(left) is None:
                    break
        return self.get(workflow_id)

    # Events.

    def subscribe(  # type: ignore[override]  # events are classes
        self,
        *,
        since: int | None = None,
        workflow: str | None = None,
        types: str | Sequence[str] = (),
        cursor: str | None = None,
        autocommit: bool = True,
        stop: Callable[[], bool] | None = None,
    ) -> Subscription:
        """Events in order, each once, from now on, after seq `since`, or from a `cursor`.

        `types` are globs, `"task.*,turn.*"`. A named `cursor` keeps how far you are, in the
        database: the next subscription of that name goes on there. Ends when `stop` says so,
        which is asked at each look, once what is there was given; or by `close`.
        """
        wanted = EventFilter(types=types, workflows=() if workflow is None else workflow)
        return self.subscribe_filtered(
            wanted, since=since, cursor=cursor, autocommit=autocommit, stop=stop
        )

    def subscribe_workflow(  # type: ignore[override]  # events are classes
        self,
        ref: str,
        *,
        types: str | Sequence[str] = (),
        since: int | None = None,
        cursor: str | None = None,
        autocommit: bool = True,
        stop: Callable[[], bool] | None = None,
    ) -> Subscription:
        """`subscribe` to one workflow."""
        return self.subscribe(
            workflow=ref, types=types, since=since, cursor=cursor, autocommit=autocommit, stop=stop
        )

    def subscribe_filtered(  # type: ignore[override]  # events are classes
        self,
        wanted: EventFilter | None = None,
        *,
        types: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        workflows: str | Sequence[str] = (),
        labels: Labels = (),
        since: int | None = None,
        cursor: str | None = None,
        autocommit: bool = True,
        stop: Callable[[], bool] | None = None,
    ) -> Subscription:
        """`subscribe` to what an `EventFilter` says, or its fields as keywords."""
        given = EventFilter(types=types, exclude=exclude, workflows=workflows, labels=labels)
        place = self.place(
            chosen_filter(wanted, given), since=since, cursor=cursor, autocommit=autocommit
        )
        return Subscription(place, stop)

    def place(
        self, wanted: EventFilter, *, since: int | None, cursor: str | None, autocommit: bool
    ) -> Place:
        """Where a subscription begins. Raises `NotFoundError`, `UsageError`."""
        low = events_reads.EventFilter(
            types=_words(wanted.types),
            exclude=_words(wanted.exclude),
            workflows=tuple(self.registry.resolve(ref) for ref in _words(wanted.workflows)),
            labels=label_pairs(wanted.labels),
        )
        return Place(
            self.database_path,
            lambda work: self._database.write(work),
            low,
            since=since,
            cursor=cursor,
            autocommit=autocommit,
        )


def chosen_filter(wanted: EventFilter | None, given: EventFilter) -> EventFilter:
    """The one of both that says something. Raises `UsageError` where both do."""
    if wanted is None:
        return given
    if not isinstance(wanted, EventFilter):
        raise UsageError(f"cannot subscribe by {wanted!r}: give an EventFilter, or keywords")
    if any((given.types, given.exclude, given.workflows, given.labels)):
        raise UsageError("cannot subscribe by a filter and by keywords: put all into one")
    return wanted


def awaited(states: str | Iterable[str]) -> frozenset[str]:
    """The states that end a wait: the wanted ones, and the final ones. Raises `UsageError`."""
    return wanted_states(states) | frozenset(ENDS)


def wanted_states(states: str | Iterable[str]) -> frozenset[str]:
    """The states that somebody waits for, at least one. Raises `UsageError`."""
    if not isinstance(states, Iterable):
        raise UsageError(f"cannot wait for state {states!r}: give a text, or several")
    words = [states] if isinstance(states, str) else [str(state) for state in states]
    found = frozenset(word.strip() for text in words for word in text.split(","))
    unknown = sorted(found - frozenset(WORKFLOW.states))
    if unknown or not found:
        raise UsageError(
            f"cannot wait for state {', '.join(unknown) or 'none'}; "
            f"known are {', '.join(WORKFLOW.states)}"
        )
    return found


def _query(filters: Mapping[str, Any]) -> ListQuery:
    """A query by keywords, also by those of the command line: `template`, `everything`."""
    old = {"template": "template_id", "everything": "archived"}
    named = {old.get(name, name): value for name, value in filters.items()}
    known = list(ListQuery.__dataclass_fields__)
    for name in named:
        if name not in known:
            from perles.domain.nearest import nearest

            hint = nearest(name, known)
            raise UsageError(
                f"cannot filter by filter {name!r}{hint}; known are {', '.join(known)}"
            )
    return ListQuery(**named)


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
