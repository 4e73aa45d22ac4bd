"""ControlPlane for programs with an event loop: the same names, awaitable."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar, Unpack

from perles.api import plane as sync
from perles.api.aio_subscription import AsyncSubscription
from perles.api.instance import Task, WorkflowDetails, WorkflowInstance
from perles.api.requests import (
    EventFilter,
    Labels,
    ListFilters,
    ListQuery,
    StopOptions,
    seconds_of,
)
from perles.controlplane.outcomes import Outcome, waits_for_engine

if TYPE_CHECKING:
    from types import TracebackType

    from perles.domain.commands import Command
    from perles.domain.specs import WorkflowSpec

P = ParamSpec("P")
T = TypeVar("T")
Workflows = list[WorkflowInstance]
THREADS: Final = 4
"""Threads for all calls of one ControlPlane together; a subscription needs none."""
_SOON: Final = 0.01
"""Seconds until the engine's answer is looked for again."""


class ControlPlane:
    """All workflows of one home folder, as `perles.ControlPlane`, without blocking the loop.

    `call` reaches every other verb of it: `await cp.call(perles.ControlPlane.questions)`.
    """

    def __init__(
        self,
        home_dir: str | os.PathLike[str] | None = None,
        *,
        config_file: str | os.PathLike[str] | None = None,
        host_engine: bool = False,
    ) -> None:
        self._plane = sync.ControlPlane(home_dir, config_file=config_file, host_engine=host_engine)
        self._wants_to_host = host_engine
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="perles-aio")

    async def __aenter__(self) -> ControlPlane:
        await self.call(sync.ControlPlane.__enter__)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the database, and stop the engine if this process hosts it."""
        await self.call(sync.ControlPlane.close)
        self._pool.shutdown(wait=False)

    async def call(
        self,
        verb: Callable[Concatenate[sync.ControlPlane, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a method of `perles.ControlPlane` in a thread of the pool."""
        return await self._in_pool(lambda: verb(self._plane, *args, **kwargs))

    async def _in_pool(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    # Workflows.

    async def create(self, spec: WorkflowSpec) -> str:
        """Create a pending workflow with all its tasks in one transaction; its id."""
        return await self.call(sync.ControlPlane.create, spec)

    async def get(self, ref: str) -> WorkflowDetails:
        """One workflow with its tasks and agents."""
        return await self.call(sync.ControlPlane.get, ref)

    async def list(
        self, query: ListQuery | None = None, **filters: Unpack[ListFilters]
    ) -> Workflows:
        """Workflows, newest first: those of a `ListQuery`, or of its fields as keywords."""
        return await self._in_pool(lambda: self._plane.list(query, **filters))

    async def tasks(self, ref: str | None = None, *, waiting: bool = False) -> Sequence[Task]:
        """The tasks of one workflow or of all; `waiting` selects tasks that wait for a person."""
        return await self.call(sync.ControlPlane.tasks, ref, waiting=waiting)

    async def start(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Start a pending workflow; `with_engine` starts an engine if none runs."""
        from perles.domain.commands import Start

        return await self._ask(ref, Start(), wait, with_engine or self._wants_to_host)

    async def pause(self, ref: str, *, reason: str | None = None, wait: bool = True) -> Outcome:
        """Pause a running workflow; its messages wait."""
        from perles.domain.commands import Pause

        return await self._ask(ref, Pause(reason=reason), wait)

    async def resume(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Resume a paused workflow; `with_engine` as for `start`."""
        from perles.domain.commands import Resume

        return await self._ask(ref, Resume(), wait, with_engine or self._wants_to_host)

    async def stop(self, ref: str, options: StopOptions | None = None) -> Outcome:
        """Stop a workflow for good; the options set the grace period of its agents."""
        from perles.domain.commands import Stop

        how = options or StopOptions()
        asked = Stop(reason=how.reason, force=how.force, grace=how.grace)
        return await self._ask(ref, asked, how.wait)

    async def retry(self, ref: str, *, reconfigure: bool = False) -> str:
        """Create a pending workflow that continues a failed or stopped one; return its id."""
        return await self.call(sync.ControlPlane.retry, ref, reconfigure=reconfigure)

    async def send(
        self, ref: str, text: str, *, to: str = "coordinator", wait: bool = True
    ) -> Outcome:
        """Queue a message for an agent; it reads it at its next turn."""
        return await self.call(sync.ControlPlane.send, ref, text, to=to, wait=wait)

    async def approve(self, ref: str, task: str, message: str | None = None) -> Outcome:
        """Approve a task that waits for a person."""
        return await self.call(sync.ControlPlane.approve, ref, task, message)

    async def deny(self, ref: str, task: str, message: str) -> Outcome:
        """Deny a task that waits for a person, with the reason."""
        return await self.call(sync.ControlPlane.deny, ref, task, message)

    async def answer(self, ref: str, text: str, question: int | None = None) -> Outcome:
        """Answer an agent's question by its number, or the only one that waits."""
        return await self.call(sync.ControlPlane.answer, ref, text, question)

    async def wait(
        self,
        ref: str,
        *,
        timeout: float | None = None,
        states: str | Iterable[str] = sync.ENDS,
    ) -> WorkflowDetails:
        """Wait until a workflow is in one of `states`, by default until it has ended.

        It also returns after `timeout` seconds, or when the workflow ends in another state: check
        its `state`.
        """
        seconds = seconds_of(timeout)
        wanted = sync.awaited(states)
        workflow_id = await self._in_pool(lambda: self._plane.registry.resolve(ref))
        async with self.subscribe_workflow(workflow_id, types="workflow.*") as events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while await self.call(sync.ControlPlane.state_of, workflow_id) not in wanted:
                        await events.get()
        return await self.get(workflow_id)

    async def ensure_engine(self) -> bool:
        """Make sure that an engine runs; return whether this call started it."""
        return await self.call(sync.ControlPlane.ensure_engine)

    async def shutdown(self, timeout: float = 60.0) -> None:
        """Stop the engine. Running workflows are paused and can be resumed later."""
        await self.call(sync.ControlPlane.shutdown, timeout)

    # Events.

    def subscribe(
        self,
        *,
        since: int | None = None,
        workflow: str | None = None,
        types: str | Sequence[str] = (),
        cursor: str | None = None,
        autocommit: bool = True,
    ) -> AsyncSubscription:
        """Events in order, each once, from now on, after seq `since`, or from a `cursor`."""
        wanted = EventFilter(types=types, workflows=() if workflow is None else workflow)
        return self.subscribe_filtered(wanted, since=since, cursor=cursor, autocommit=autocommit)

    def subscribe_workflow(
        self,
        ref: str,
        *,
        types: str | Sequence[str] = (),
        since: int | None = None,
        cursor: str | None = None,
        autocommit: bool = True,
    ) -> AsyncSubscription:
        """`subscribe` to one workflow."""
        return self.subscribe(
            workflow=ref, types=types, since=since, cursor=cursor, autocommit=autocommit
        )

    def subscribe_filtered(
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
    ) -> AsyncSubscription:
        """`subscribe` to what an `EventFilter` says, or its fields as keywords."""
        given = EventFilter(types=types, exclude=exclude, workflows=workflows, labels=labels)
        place = self._plane.place(
            sync.chosen_filter(wanted, given), since=since, cursor=cursor, autocommit=autocommit
        )
        return AsyncSubscription(place, self._in_pool)

    async def _ask(
        self, ref: str, command: Command, wait: bool, with_engine: bool = False
    ) -> Outcome:
        """Queue a command, and wait for its end without holding a thread meanwhile."""
        plane = self._plane
        request = await self._in_pool(lambda: plane.ask(ref, command))
        if not wait:
            text = f"queued {request.kind} of {request.workflow_id}"
            return Outcome(request.workflow_id, "queued", text)
        while True:
            if with_engine:
                await self._in_pool(plane.ensure_engine)
            outcome = await self._in_pool(lambda: plane.outcome(request, give_up=plane.engine_runs))
            if outcome.status != "queued" or outcome.text == waits_for_engine(request):
                return outcome
            await asyncio.sleep(_SOON)
