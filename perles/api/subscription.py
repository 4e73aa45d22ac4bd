"""Following events from a program: from any thread, with or without a durable cursor."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from perles.api.event import ControlPlaneEvent
from perles.api.place import Place
from perles.api.requests import deadline_of
from perles.store.events.feed import Feed

if TYPE_CHECKING:
    from types import TracebackType

    from perles.store.reads.connection import Json

LOOK_SECONDS: Final = 0.1
"""How often `stop` is asked while nothing happens."""


class Subscription(Iterator[ControlPlaneEvent]):
    """The events of one subscriber, in order, each once; waits for the next one.

    Iterate over it, or `get(timeout)` one; `close` it from any thread, or use it in a `with`
    block. With a cursor, what was handed out counts as handled when the next event is asked
    for, when the block ends without an exception, and at `commit`; with `autocommit=False` at
    `commit` alone. What was not handled when the process died comes again, and nothing else.
    """

    def __init__(self, place: Place, stop: Callable[[], bool] | None) -> None:
        self._place = place
        self._stop = stop
        self._lock = threading.Lock()
        self._fresh = threading.Event()
        self._pending: deque[Json] = deque()
        self._closed = False
        self._taker: int | None = None
        self._feed = Feed(
            place.path, since=place.start(), wanted=place.wanted, wake=self._fresh.set
        )

    @property
    def closed(self) -> bool:
        """Whether the subscription is closed."""
        return self._closed

    def get(self, timeout: float | None = None) -> ControlPlaneEvent | None:
        """The next event; None after `timeout` seconds without one, or when it is closed.

        Raises `DatabaseError`.
        """
        deadline = deadline_of(timeout)
        while True:
            self._fresh.clear()
            with self._lock:
                event = self._next()
            if event is not None or self._closed:
                return event
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            if self._stop is not None:
                left = LOOK_SECONDS if left is None else min(left, LOOK_SECONDS)
            self._fresh.wait(left)

    def __next__(self) -> ControlPlaneEvent:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def commit(self) -> None:
        """Mark all delivered events as handled. Raises `UsageError` without a cursor."""
        self._place.commit()

    def close(self) -> None:
        """Close the subscription; a waiting `get` returns. Thread-safe and repeatable."""
        if self._taker == threading.get_ident():
            self._place.settle()
        self._end()

    def _next(self) -> ControlPlaneEvent | None:
        if self._closed:
            return None
        self._place.settle()
        if not self._pending:
            stopping = self._stop is not None and self._stop()
            # The hub is some milliseconds behind: the last look is at the database itself.
            self._pending.extend(self._feed.look_in_database() if stopping else self._feed.look())
            if not self._pending and stopping:
                self._end()
        if not self._pending:
            return None
        self._taker = threading.get_ident()
        return self._place.hand_out(self._pending.popleft())

    def _end(self) -> None:
        self._closed = True
        self._feed.close()
        self._fresh.set()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._place.settle()
        self._end()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self._feed.close()
