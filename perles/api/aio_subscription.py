"""Following events from an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from perles.api.requests import seconds_of
from perles.store.events.feed import Feed

if TYPE_CHECKING:
    from types import TracebackType

    from perles.api.event import ControlPlaneEvent
    from perles.api.place import Place

InPool = Callable[[Callable[[], Any]], Awaitable[Any]]


class AsyncSubscription(AsyncIterator["ControlPlaneEvent"]):
    """The events of one subscriber, in order, each once, for one task at a time.

    As `perles.api.subscription.Subscription`: iterate over it, `await get(timeout)`, `await
    commit()`, or use it in an `async with` block. `close` may be called from any thread or task.
    """

    def __init__(self, place: Place, in_pool: InPool) -> None:
        self._place = place
        self._in_pool = in_pool
        self._feed: Feed | None = None
        self._pending: deque[dict[str, Any]] = deque()
        self._fresh = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the subscription is closed."""
        return self._closed

    async def get(self, timeout: float | None = None) -> ControlPlaneEvent | None:
        """The next event; None after `timeout` seconds without one, or when it is closed."""
        try:
            async with asyncio.timeout(seconds_of(timeout)):
                return await self._next()
        except TimeoutError:
            return None

    async def commit(self) -> None:
        """Mark all delivered events as handled. Raises `UsageError` without a cursor."""
        await self._in_pool(self._place.commit)

    def close(self) -> None:
        """Close the subscription; a waiting `get` returns."""
        self._closed = True
        if self._feed is not None:
            self._feed.close()
        self._wake()

    async def aclose(self) -> None:
        """`close`, and with a cursor the event that was handed out last counts as handled."""
        if self._place.is_due and not self._closed:
            await self._in_pool(self._place.settle)
        self.close()

    async def __anext__(self) -> ControlPlaneEvent:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def _begun(self) -> Feed:
        if self._feed is None:
            place = self._place
            start = place.start() if place.cursor is None else await self._in_pool(place.start)
            self._feed = Feed(place.path, since=start, wanted=place.wanted, wake=self._wake)
        return self._feed

    async def _next(self) -> ControlPlaneEvent | None:
        place, feed = self._place, await self._begun()
        while not self._closed:
            self._fresh.clear()
            if place.is_due:
                await self._in_pool(place.settle)
            if not self._pending:
                found = feed.look_in_memory()
                if found is None:
                    found = await self._in_pool(feed.look_in_database)
                self._pending.extend(found)
            if self._pending:
                return place.hand_out(self._pending.popleft())
            if not self._closed:
                await self._fresh.wait()
        return None

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._fresh.set)
        except RuntimeError:
            pass  # the loop is closed: nobody waits there

    async def __aenter__(self) -> AsyncSubscription:
        await self._begun()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.aclose()
        self.close()

    def __del__(self) -> None:
        if self._feed is not None and not self._closed:
            self._feed.close()
