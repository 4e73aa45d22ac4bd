"""What is asked of a service, and what its answers mean."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from perles.domain.services import Ready
from perles.engine.serving import probes
from perles.executor import listening
from perles.executor.local.executor import LocalExecutor

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _place(folder: Path) -> probes.Place:
    return probes.Place(LocalExecutor(), "wf-1", folder, {"A": "b"}, folder / "out")


def _ask(kind: str, value: str, folder: Path) -> str | None:
    return asyncio.run(_asked(kind, value, folder))


async def _asked(kind: str, value: str, folder: Path) -> str | None:
    return await probes.probe_of(Ready(kind=kind, value=value), _place(folder))()


def _says(text: bytes, heard: list[bytes] | None = None) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(head)
        writer.write(text)
        await writer.drain()

    return answer


async def _with_server(answer: Answer, url: str, folder: Path) -> str | None:
    """Ask a server that answers one connection; it has done with that before this returns."""
    over = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await answer(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        port = server.sockets[0].getsockname()[1]
        kind = "tcp" if url == "" else "http"
        why = await _asked(kind, url.format(port=port) or f"127.0.0.1:{port}", folder)
        await over.wait()
        return why


def _unused_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def test_what_is_ready_when_it_runs_is_not_asked(tmp_path: Path) -> None:
    assert _ask("", "", tmp_path) is None


def test_a_port_that_takes_connections(tmp_path: Path) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    assert asyncio.run(_with_server(silent, "", tmp_path)) is None
    assert _ask("tcp", f"127.0.0.1:{_unused_port()}", tmp_path) == "connection refused"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.0 302 Found\r\n\r\n", None),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "status 404"),
        (b"HTTP/1.1 503 x\r\n\r\n", "status 503"),
        (b"SSH-2.0-OpenSSH\r\n", "an answer that is no HTTP"),
        (b"HTTP/1.1 many\r\n", "an answer that is no HTTP"),
        (b"", "an answer that is no HTTP"),
        (b"x" * 100_000, "an answer that is no HTTP"),
    ],
)
def test_an_http_answer_is_judged_by_its_status(
    tmp_path: Path, said: bytes, why: str | None
) -> None:
    heard: list[bytes] = []
    url = "http://me:secret@127.0.0.1:{port}/health?full=1"

    assert asyncio.run(_with_server(_says(said, heard), url, tmp_path)) == why

    assert heard[0].startswith(b"GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"secret" not in heard[0]


def test_an_answer_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "ANSWER_SECONDS", 0.1)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to the end: until the other side hangs up

    why = asyncio.run(_with_server(silent, "http://127.0.0.1:{port}/", tmp_path))

    assert why == "no answer within 0.2s"


def test_a_plain_answer_on_a_secure_address_is_a_reason(tmp_path: Path) -> None:
    async def hangs_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    why = asyncio.run(_with_server(hangs_up, "https://127.0.0.1:{port}/", tmp_path))

    assert why == "the connection was cut"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ('test "$A" = b && touch seen', None),
        ("exit 3", "exit 3"),
        ("kill -TERM $$", "exit 143"),
    ],
)
def test_a_command_is_run_in_the_folder_of_the_service(
    tmp_path: Path, command: str, why: str | None
) -> None:
    assert _ask("command", command, tmp_path) == why
    assert (tmp_path / "seen").exists() == (why is None)


def test_a_command_that_cannot_be_run_or_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "COMMAND_SECONDS", 0.2)

    assert _ask("command", "sleep 300", tmp_path) == "did not end within 0.2s"
    assert str(_ask("command", "true", tmp_path / "gone")).startswith("cannot be run: ")


def test_a_line_is_looked_for_in_what_was_printed_since(tmp_path: Path) -> None:
    file = tmp_path / "out"
    probe = probes.probe_of(Ready(kind="line", value="listening on \\d+"), _place(tmp_path))

    async def run() -> None:
        assert await probe() == "no such line"  # there is no output yet
        with file.open("a") as out:
            out.write("starting\nlisten")
            out.flush()
            assert await probe() == "no such line"
            out.write("ing on 80")
            out.flush()
            assert await probe() is None  # a line need not be whole

    asyncio.run(run())
