"""The stream of events: one subscriber of the journal for all clients, each with a bounded buffer.

A client that joins reads what it missed from the database by itself, and takes part in what is
handed to all once it has caught up. `sent` is the last seq that it has, or that does not
concern it: so nothing is sent twice, and nothing is left out.
"""

import asyncio
import json
import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.domain.errors import PerlesError
from perles.domain.patterns import lazy_pattern
from perles.http.limits import Limits
from perles.http.wire import Refused
from perles.store.events.feed import Feed
from perles.store.events.reads import EVERY

log = logging.getLogger("perles.http")

PAGE: Final = 500
PING_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 1.0
_RECENT_BYTES: Final = 8 * 1024 * 1024
_CLIENT_SECONDS: Final = 40e-6
"""Between two rounds passes so much time for each client: to write to one takes half of that."""
_GLOBS: Final = lazy_pattern(r"[a-z0-9_.*?,]+")
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Json = dict[str, Any]


class Wanted(NamedTuple):
    """Which events a client wants; empty means all."""

    types: tuple[str, ...] = ()
    workflow: str | None = None

    def fits(self, event: "Framed") -> bool:
        """Whether the client wants this one."""
        if self.workflow is not None and event.workflow != self.workflow:
            return False
        return not self.types or any(fnmatchcase(event.type, glob) for glob in self.types)


def globs(text: str) -> tuple[str, ...]:
    """Types as a client writes them. Raises `Refused`."""
    if text and not _GLOBS.fullmatch(text):
        raise Refused(400, "types are globs of letters, dots, * and ?, with commas between")
    return tuple(glob for glob in text.split(",") if glob)


class Framed(NamedTuple):
    """An event, as it goes over the wire."""

    seq: int
    workflow: str | None
    type: str
    frame: bytes


def framed(event: Json) -> Framed:
    """An event with its frame."""
    text = _JSON.encode(event).encode("utf-8", errors="backslashreplace")
    frame = b"id: %d\ndata: %s\n\n" % (event["seq"], text)
    return Framed(event["seq"], event["workflow_id"], event["type"], frame)


class Client:
    """Somebody who listens. `is_welcome` tells, now and then, whether its token still holds."""

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        wanted: Wanted,
        sent: int,
        most: int,
        is_welcome: Callable[[], bool],
    ) -> None:
        self.transport, self.wanted, self.sent = transport, wanted, sent
        self.is_welcome = is_welcome
        self._most = most
        self._is_plain = wanted == Wanted()

    def push(self, batch: list[Framed], joined: bytes) -> None:
        """Give it a batch; `joined` are all frames of it."""
        last = batch[-1].seq
        if self.sent >= last:
            return
        if self._is_plain and self.sent < batch[0].seq:
            data = joined
        else:
            data = b"".join(
                one.frame for one in batch if one.seq > self.sent and self.wanted.fits(one)
            )
        self.sent = last
        if data:
            self.write(data)

    def ping(self) -> None:
        """Tell it that we are there, and how far the journal is."""
        self.write(b"id: %d\n\n" % self.sent)

    def write(self, data: bytes) -> None:
        """Send; who has left too much unread is cut off, and can come again."""
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > self._most:
            log.info("a client of the stream reads too slowly: it is cut off")
            self.transport.abort()


Read = Callable[[int, Wanted], list[Json]]
"""A page of wanted events after a seq."""


class Hub:
    """Follows the journal in a thread, and hands it to clients in the loop that made this."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._loop = asyncio.get_running_loop()
        self._clients: dict[Client, None] = {}
        self._lock = threading.Lock()
        self._pending: list[Framed] = []
        self._is_due = False
        self._flushed_at = 0.0
        self._recent: list[Framed] = []
        self._recent_bytes = 0
        self._recent_after = 0
        """All events after this seq, up to `position`, are in `_recent`."""
        self._stopped = threading.Event()
        self._news = threading.Event()
        """Set when the journal may have more, and at the end."""
        self.position = 0
        """The seq of the newest event that was handed to clients."""
        self.on_tokens: Callable[[], None] = lambda: None
        """Called when tokens have changed."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def begin(self, position: int) -> None:
        """Follow the journal from a seq on."""
        self.position = self._recent_after = position
        self._thread.start()

    def end(self) -> None:
        """Stop, and cut off all clients."""
        self._stopped.set()
        self._news.set()
        for client in list(self._clients):
            client.transport.close()

    def __len__(self) -> int:
        return len(self._clients)

    async def join(self, client: Client, read: Read) -> None:
        """Send a client what it missed, and then all that comes. Raises `PerlesError`."""
        while True:
            before = self.position
            if client.sent >= self._recent_after:
                await self._send_recent(client)
                if client.transport.is_closing():
                    return
                if client.sent >= self.position:
                    self._clients[client] = None
                    return
                continue
            page = await asyncio.to_thread(read, client.sent, client.wanted)
            for event in page:
                client.transport.write(framed(event).frame)
                await self._until_read(client)
            last = page[-1]["seq"] if page else client.sent
            client.sent = last if len(page) == PAGE else max(last, before)
            if client.transport.is_closing():
                return
            if len(page) < PAGE and client.sent >= self.position:
                self._clients[client] = None
                return

    async def _send_recent(self, client: Client) -> None:
        """What a client missed a short time ago, from memory: many may come again at once."""
        start = bisect_right(self._recent, client.sent, key=lambda one: one.seq)
        missed, position = self._recent[start:], self.position
        for event in missed:
            if client.wanted.fits(event):
                client.transport.write(event.frame)
                await self._until_read(client)
            if client.transport.is_closing():
                return
            client.sent = event.seq
        client.sent = max(client.sent, position)

    def _remember(self, batch: list[Framed]) -> None:
        self._recent += batch
        self._recent_bytes += sum(len(one.frame) for one in batch)
        if self._recent_bytes <= _RECENT_BYTES:
            return
        drop = 0
        while self._recent_bytes > _RECENT_BYTES // 2:
            self._recent_bytes -= len(self._recent[drop].frame)
            drop += 1
        self._recent_after = self._recent[drop - 1].seq
        self._recent = self._recent[drop:]

    async def _until_read(self, client: Client) -> None:
        """Wait while a client has much to read from the past: that is no reason to cut it off."""
        transport, deadline = client.transport, time.monotonic() + self._limits.write_seconds
        while transport.get_write_buffer_size() > self._limits.stream_buffer // 4:
            if transport.is_closing():
                return
            if time.monotonic() > deadline:
                transport.abort()
            await asyncio.sleep(0.02)

    def leave(self, client: Client) -> None:
        """A client is gone."""
        self._clients.pop(client, None)

    async def keep_alive(self) -> None:
        """Ping all clients now and then, for ever; those whose token is void are sent away."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self.dismiss()
            for client in list(self._clients):
                client.ping()

    async def dismiss(self) -> None:
        """Cut off those whose token does not hold any more."""
        for client in list(self._clients):
            if not await asyncio.to_thread(client.is_welcome):
                client.transport.close()

    def _run(self) -> None:
        read = self.position
        while not self._stopped.is_set():
            try:
                for event in self._follow(read):
                    self._take(framed(event))
                    read = event["seq"]
            except PerlesError as error:
                log.warning("the journal cannot be read: %s", error)
            self._stopped.wait(_AGAIN_SECONDS)

    def _follow(self, since: int) -> Iterator[Json]:
        """The events after a seq, until the end. Raises `DatabaseError`."""
        feed = Feed(self._path, since=since, wanted=EVERY, wake=self._news.set)
        with closing(feed):
            while not self._stopped.is_set():
                self._news.clear()
                while found := feed.look():
                    yield from found
                if not self._stopped.is_set():
                    self._news.wait()

    def _take(self, event: Framed) -> None:
        with self._lock:
            self._pending.append(event)
            if self._is_due:
                return
            self._is_due = True
        try:
            self._loop.call_soon_threadsafe(self._schedule)
        except RuntimeError:  # the loop has ended, and so will this thread
            self._stopped.set()

    def _schedule(self) -> None:
        """Not more often than there is time to write to all."""
        pause = self._flushed_at + len(self._clients) * _CLIENT_SECONDS - self._loop.time()
        if pause > 0:
            self._loop.call_later(pause, self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
            self._is_due = False
        if not batch:
            return
        joined = b"".join(one.frame for one in batch)
        for client in list(self._clients):
            client.push(batch, joined)
        self.position = batch[-1].seq
        self._remember(batch)
        self._flushed_at = self._loop.time()
        if any(one.type.startswith("token.") for one in batch):
            self.on_tokens()


def events_after(read: Callable[..., Any], since: int, wanted: Wanted) -> list[Json]:
    """A page of events by the façade's `read_events`."""
    page = read(wanted.workflow, types=wanted.types, since=since, limit=PAGE)
    return list(page.events)
