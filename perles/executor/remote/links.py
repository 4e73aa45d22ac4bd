"""The thread in which nodes are talked to, with an event loop of its own.

A node that hangs, or the library that carries the bytes, holds nothing of the engine.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from perles.executor.remote.channel import Channel
from perles.executor.remote.link import Law, Link

T = TypeVar("T")
CLOSING: Final = 10.0


class Links:
    """The ways to all nodes, in their own thread."""

    def __init__(self, channel: Channel, law: Law) -> None:
        self._channel, self._law = channel, law
        self._links: dict[str, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nodes", daemon=True)
        self._lock = threading.Lock()
        self.connected: Callable[[Link], Coroutine[Any, Any, None]] | None = None
        self._left: list[Callable[[str], None]] = []

    def lead(self, epoch: int) -> None:
        """Ask from now on as the engine of this number; to be told before anything is asked."""
        self._law = self._law._replace(epoch=epoch)

    def of(self, name: str) -> Link:
        """The way to a node, begun with the first question for it."""
        with self._lock:
            if not self._thread.is_alive():
                self._thread.start()
            link = self._links.get(name)
            if link is None:
                link = self._links[name] = Link(name, self._channel, self._law)
                link.connected = self.connected
                link.left = self._tell_left
                self._loop.call_soon_threadsafe(link.begin)
            return link

    def when_left(self, call: Callable[[str], None]) -> None:
        """Have this called, in the thread of the links, when a node tells that it ends."""
        self._left.append(call)

    def _tell_left(self, name: str) -> None:
        for call in self._left:
            call(name)

    def all(self) -> list[Link]:
        """The links that were begun."""
        return list(self._links.values())

    def run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Do something in the thread of the links."""
        with self._lock:
            if not self._thread.is_alive():
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that is done there, in another event loop."""
        return await asyncio.wrap_future(self.run(work))

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Do something there, some time soon."""
        self._loop.call_soon_threadsafe(call, *args)

    def close(self) -> None:
        """Ask nothing any more."""
        if self._loop.is_closed():
            return

        async def end() -> None:
            await asyncio.gather(*(link.close() for link in self.all()))
            await self._channel.close()

        self.run(end()).result(CLOSING)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSING)
        self._loop.close()
