"""Connections: one request after the other on each, under limits of size and time."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Coroutine
from typing import Any, Final

from perles.domain.errors import PerlesError
from perles.http.guard import Address, Guard
from perles.http.hub import PAGE, Client, Hub, Wanted, events_after, globs
from perles.http.limits import DEFAULT, HEAD_BYTES, Limits
from perles.http.service import Service
from perles.http.token_facade import Base
from perles.http.wire import Refused, Request, Response, head_of, parse, refusal
from perles.store.reads.tokens import Holder

log = logging.getLogger("perles.http")

STREAM: Final = ("api", "v1", "stream")
_STREAM_HEAD: Final = head_of(
    200,
    (
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("X-Accel-Buffering", "no"),
    ),
)
_HELLO: Final = b"retry: 1000\n\n"


class Server:
    """Listens at one address."""

    def __init__(self, base: Base, address: Address, limits: Limits = DEFAULT) -> None:
        self._base, self.address, self._limits = base, address, limits
        self._service = Service(base, limits)
        self.guard = Guard(address, base.token_holder, limits)
        self.hub = Hub(base.database_path, limits)
        self.hub.on_tokens = self._tokens_changed
        self._connections: dict[asyncio.StreamWriter, bool] = {}
        """Each, with whether somebody with a token has asked on it. The oldest come first."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen. Raises `OSError` where that cannot be."""
        tls = {"ssl": context, "ssl_handshake_timeout": self._limits.head_seconds}
        self._server = await asyncio.start_server(
            self._serve,
            self.address.host,
            self.address.port,
            limit=HEAD_BYTES,
            backlog=1024,
            **(tls if context is not None else {}),  # type: ignore[arg-type]
        )
        self.hub.begin(await asyncio.to_thread(self._last_seq))
        self._keep(self.hub.keep_alive())

    def _last_seq(self) -> int:
        try:
            return self._base.last_seq()
        except PerlesError as error:  # an older database, which the engine upgrades now
            log.info("%s", error)
            return 0

    async def close(self) -> None:
        """End all connections."""
        assert self._server is not None
        self._server.close()
        self.hub.end()
        for task in self._tasks:
            task.cancel()
        for writer in list(self._connections):
            writer.transport.abort()
        self._service.close()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tokens_changed(self) -> None:
        self.guard.forget()
        self._keep(self.hub.dismiss())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = False
        self._make_room()
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError):
            pass  # the client is gone, or takes too long
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._connections.pop(writer, None)
            await self._hang_up(writer)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        """Close a connection; who does not read the rest in time does not get it."""
        writer.close()
        try:
            async with asyncio.timeout(5):
                await writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            writer.transport.abort()

    def _make_room(self) -> None:
        """Cut off the oldest connections on which nobody showed a token, where there are many."""
        strangers = [one for one, known in self._connections.items() if not known]
        over = max(
            len(strangers) - self._limits.strangers,
            len(self._connections) - self._limits.connections,
        )
        for writer in strangers[: max(0, over)]:
            self._connections.pop(writer, None)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        try:
            request = await self._head(reader)
            return await self._dispatch(request, reader, writer)
        except Refused as refused:
            await self._send(writer, refusal(refused), closes=True)
            return False

    async def _head(self, reader: asyncio.StreamReader) -> Request:
        """The next head. Raises `Refused`, `TimeoutError`, `IncompleteReadError`."""
        async with asyncio.timeout(self._limits.idle_seconds):
            first = await reader.readexactly(1)
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                rest = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refused(431, f"a head over {HEAD_BYTES} bytes", closes=True) from None
        except TimeoutError:
            raise Refused(408, "the head took too long", closes=True) from None
        return parse(first + rest)

    async def _dispatch(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        self.guard.check_site(request)
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        public = self._service.public(request)
        if public is not None:
            self.guard.allow_stranger(peer)
            await self._body(request, reader, writer)
            return await self._send(writer, public, closes=_closes(request))
        if self.guard.knows(request):
            holder = self.guard.admit(request, peer)
        else:
            holder = await asyncio.to_thread(self.guard.admit, request, peer)
        if writer in self._connections:
            self._connections[writer] = True
        if request.segments == STREAM and request.method == "GET":
            await self._stream(request, holder, reader, writer)
            return False
        found = self._service.find(request, holder)
        _check_type(request)
        body = await self._body(request, reader, writer)
        answer = await self._service.answer(request, found, holder, body)
        return await self._send(writer, answer, closes=_closes(request))

    async def _body(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        expected = request.headers.get("expect", "").lower()
        if expected not in ("", "100-continue"):
            raise Refused(417, "only 100-continue can be expected", closes=True)
        if expected and request.length:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await reader.readexactly(request.length)
        except TimeoutError:
            raise Refused(408, "the body took too long", closes=True) from None

    async def _send(self, writer: asyncio.StreamWriter, answer: Response, *, closes: bool) -> bool:
        writer.write(answer.encoded(closes=closes))
        async with asyncio.timeout(self._limits.write_seconds):
            await writer.drain()
        return not closes

    async def _stream(
        self,
        request: Request,
        holder: Holder,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send events until somebody hangs up."""
        if len(self.hub) >= self._limits.streams:
            raise Refused(503, "too many clients of the stream; try again", closes=True)
        wanted, since = await asyncio.to_thread(self._wanted, request)
        secret = request.headers["authorization"].partition(" ")[2].strip()
        client = Client(
            writer.transport,
            wanted,
            since,
            self._limits.stream_buffer,
            lambda: self.guard.holder(secret) is not None,
        )
        del holder
        client.write(_STREAM_HEAD + _HELLO)
        if "since" not in request.query and "last-event-id" not in request.headers:
            client.ping()  # where it begins, for the case that it breaks before the first event
        try:
            await self.hub.join(client, lambda seq, want: events_after(self._read, seq, want))
            while await reader.read(1024):
                pass  # nothing is wanted from it any more
        except PerlesError as error:
            log.info("a client of the stream is cut off: %s", error)
        finally:
            self.hub.leave(client)

    @property
    def _read(self):  # type: ignore[no-untyped-def]
        return self._base.read_events

    def _wanted(self, request: Request) -> tuple[Wanted, int]:
        """What a client of the stream wants, and after which seq. Raises `Refused`."""
        query = request.query
        for name in query:
            if name not in ("workflow", "types", "since"):
                raise Refused(400, f"no parameter {name[:60]!r} here")
        text = request.headers.get("last-event-id", query.get("since", ""))
        if text and not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Refused(400, "Last-Event-ID is the seq of an event")
        try:
            workflow = query.get("workflow")
            workflow_id = None if workflow is None else self._base.registry.resolve(workflow)
            since = int(text) if text else self.hub.position
        except PerlesError as error:
            raise Refused(404, str(error), kind="not_found") from error
        return Wanted(globs(query.get("types", "")), workflow_id), since


def _closes(request: Request) -> bool:
    return "close" in request.headers.get("connection", "").lower()


def _check_type(request: Request) -> None:
    """A body is JSON, which no form of another site can send."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.length and kind != "application/json":
        raise Refused(415, "a body is application/json")


async def bound(server: Server, context: ssl.SSLContext | None) -> None:
    """Run a server until it is cancelled. Raises `OSError` where it cannot listen."""
    await server.start(context)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await server.close()


assert PAGE > 1
