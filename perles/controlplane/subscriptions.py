"""Following the events of workflows: the part of the façade that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.domain.states import WORKFLOW
from perles.store.events.bus import CrossWorkflowEventBus, never

if TYPE_CHECKING:
    from perles.store.events.bus import Subscription


class Subscriptions(EngineHost):
    """Subscribers of one home: each gets its events in order, each once."""

    @property
    def events(self) -> CrossWorkflowEventBus:
        """The events of all workflows, with durable cursors."""
        return CrossWorkflowEventBus(self.database_path, lambda work: self._database.write(work))

    def subscribe(
        self,
        *,
        since: int | None = None,
        workflow: str | None = None,
        types: str | Sequence[str] = (),
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """Events in order, each once, as they are committed; from now on, or after seq `since`.

        `types` are globs, several of them also in one text, `"task.*,turn.*"`. A named
        `cursor` keeps how far you are: the next subscription of that name goes on there, in
        another process too (`Subscription` tells when an event counts as handled). Ends when
        `stop` says so, which is asked at each look.
        """
        workflows = () if workflow is None else (workflow,)
        return self.subscribe_filtered(
            types=types, workflows=workflows, since=since, cursor=cursor, stop=stop
        )

    def subscribe_workflow(
        self,
        ref: str,
        *,
        types: str | Sequence[str] = (),
        since: int | None = None,
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """`subscribe` to one workflow. Raises `NotFoundError`, `AmbiguousIdError`."""
        return self.events.subscribe_workflow(
            self.registry.resolve(ref), types=types, since=since, cursor=cursor, stop=stop
        )

    def subscribe_filtered(
        self,
        *,
        types: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        workflows: str | Sequence[str] = (),
        labels: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        since: int | None = None,
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """`subscribe` to the events that fit each filter that is given.

        `exclude` are globs of types, `labels` what the event's workflow must have, all of
        them. Raises `NotFoundError`, `AmbiguousIdError`.
        """
        refs = (workflows,) if isinstance(workflows, str) else workflows
        return self.events.subscribe_filtered(
            types=types,
            exclude=exclude,
            workflows=[self.registry.resolve(ref) for ref in refs],
            labels=labels,
            since=since,
            cursor=cursor,
            stop=stop,
        )

    def wait(self, ref: str, *, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a workflow has ended, at most `timeout` seconds; it, as `get` has it then.

        A workflow that still goes on is returned, too: look at its `state`. Raises
        `NotFoundError`, `AmbiguousIdError`.
        """
        workflow_id = self.registry.resolve(ref)
        deadline = None if timeout is None else time.monotonic() + timeout

        def over() -> bool:
            late = deadline is not None and time.monotonic() >= deadline
            return late or self.state_of(workflow_id) in WORKFLOW.terminal

        for _ in self.subscribe_workflow(workflow_id, stop=over):
            if over():
                break
        return self.get(workflow_id)

    def forget_cursor(self, name: str) -> bool:
        """Remove a subscriber's cursor, so that it begins anew; whether there was one."""
        return self.events.forget(name)
