"""The keeper of the ports: calls wait for an engine, strangers and floods get nowhere."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest

from perles.executor.local.processes import family
from perles.keeper import calls, exchange, main, refusals
from perles.keeper.loop import receive_with, send_with
from perles.keeper.main import LOCK_NAME, SOCKET_NAME, Keeper
from perles.keeper.whereabouts import keeper_of
from perles.mcp import keeper_client
from perles.mcp.keeper_client import Ports
from tests.integration.cli import DEADLINE, Home

CALL = (
    b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)


class Engine:
    """What a keeper takes for an engine, by hand."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        channel.settimeout(DEADLINE)

    @classmethod
    def beside(cls, home: Path) -> "Engine":
        """The next engine: it finds the keeper by its socket."""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel.connect(str(home / SOCKET_NAME))
        return cls(channel)

    def say(self, message: str, given: socket.socket | None = None) -> None:
        """Tell the keeper something."""
        send_with(self.channel, message.encode(), None if given is None else given.fileno())

    def hear(self, verb: str) -> tuple[str, socket.socket | None]:
        """The keeper's next message, which must be this one."""
        message, given = receive_with(self.channel)
        found, _, rest = message.decode().partition(" ")
        assert found == verb, message
        return rest, None if given is None else socket.socket(fileno=given.detach())

    def hold(self, workflow: str) -> int:
        """Give it a port to hold."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            self.say(f"hold {workflow}", listener)
            self.hear("ok")
            return int(listener.getsockname()[1])

    def take(self) -> tuple[bytes, socket.socket]:
        """The next request, and where its answer goes."""
        while (message := receive_with(self.channel))[0].startswith(b"refused"):
            pass  # who was turned away before
        assert message[0].startswith(b"call"), message
        assert message[1] is not None
        connection = socket.socket(fileno=message[1].detach())
        connection.settimeout(DEADLINE)
        read = b""
        while not read.endswith(b"{}"):
            read += connection.recv(4096)
        return read, connection

    def answer(self, text: bytes = b"done") -> bytes:
        """Answer the next request; the request."""
        read, connection = self.take()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        connection.close()
        return read


class Kept:
    """A keeper in a thread of its own, with its first engine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / LOCK_NAME).write_text(f"{os.getpid()}\n")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        keeper = Keeper(socket.socket(fileno=theirs.detach()))
        self.thread = Thread(target=keeper.run, daemon=True)
        self.thread.start()
        self.engine = Engine(ours)

    def kill_engine(self) -> None:
        """As the kernel closes it when the engine is killed."""
        self.engine.channel.close()

    def next_engine(self) -> Engine:
        """Another one, which serves."""
        self.engine = Engine.beside(self.home)
        self.engine.say("serve")
        return self.engine


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(calls, "TICK", 0.05)
    monkeypatch.setattr(main, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(exchange, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(refusals, "MINUTE", 0.5)
    monkeypatch.setattr(calls, "MINUTE", 0.5)
    monkeypatch.setattr(calls, "CONNECTIONS", 8)
    monkeypatch.chdir(tmp_path)
    made = Kept(tmp_path)
    yield made
    made.kill_engine()
    with suppress(FileNotFoundError):
        (tmp_path / SOCKET_NAME).unlink()  # it is not found any more, so it ends
    made.thread.join(DEADLINE)


def _call(port: int, request: bytes = CALL) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    client.sendall(request)
    return client


def _answer_to(client: socket.socket) -> bytes:
    with closing(client):
        found = b""
        while piece := client.recv(4096):
            found += piece
    return found


def _key(request: bytes) -> bytes:
    return next(line for line in request.split(b"\r\n") if line.startswith(b"Idempotency-Key"))


def test_a_call_that_finds_no_engine_is_answered_by_the_next_one(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.kill_engine()

    client = _call(port)
    kept.next_engine().answer()

    assert _answer_to(client).endswith(b"done")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndo"])
def test_a_request_that_dies_with_its_engine_is_asked_again_with_its_key(
    kept: Kept, said: bytes
) -> None:
    port = kept.engine.hold("wf-a")
    kept.engine.say("serve")
    client = _call(port)
    first, connection = kept.engine.take()
    connection.sendall(said)
    connection.close()
    kept.kill_engine()

    second = kept.next_engine().answer()

    assert _key(first) == _key(second)
    assert _answer_to(client).endswith(b"done")


def test_an_engine_that_rests_leaves_what_it_has_not_answered_to_the_next_one(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.engine.say("serve")
    client = _call(port)
    _, connection = kept.engine.take()
    kept.engine.say("rest")
    kept.engine.hear("ok")
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    connection.close()
    kept.kill_engine()

    kept.next_engine().answer()

    assert _answer_to(client).endswith(b"done")


def test_the_next_engine_gets_the_sockets_that_are_held(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.kill_engine()

    engine = kept.engine = Engine.beside(kept.home)
    engine.say("list")

    workflow, listener = engine.hear("held")
    assert workflow == "wf-a"
    assert listener is not None
    with closing(listener):
        assert listener.getsockname()[1] == port
    engine.hear("end")


def test_a_file_system_without_sockets_costs_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / SOCKET_NAME).mkdir()  # nothing can be bound there
    monkeypatch.chdir(tmp_path)
    made = Kept(tmp_path)
    port = made.engine.hold("wf-a")
    made.engine.say("serve")

    client = _call(port)
    made.engine.answer()

    assert _answer_to(client).endswith(b"done")
    made.kill_engine()
    made.thread.join(DEADLINE)
    assert not made.thread.is_alive()


def test_only_the_holder_of_the_engines_lock_gets_anything(kept: Kept) -> None:
    kept.engine.hold("wf-a")
    (kept.home / LOCK_NAME).write_text("1\n")

    stranger = Engine.beside(kept.home)
    with suppress(OSError):
        stranger.say("list")

    with closing(stranger.channel), suppress(ConnectionResetError):
        assert receive_with(stranger.channel) == (b"", None)


def test_nobody_listens_where_a_port_was_dropped_and_a_keeper_without_any_ends(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.engine.say("drop wf-a")
    kept.engine.hear("ok")

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    kept.kill_engine()
    kept.thread.join(DEADLINE)
    assert not kept.thread.is_alive()
    assert not (kept.home / SOCKET_NAME).exists()


def test_a_header_that_does_not_come_is_timed_out_before_anything_is_known(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.engine.say("serve")

    half = _call(port, b"POST /mcp HTTP/1.1\r\nHost")

    assert b" 408 " in _answer_to(half)
    assert _answer_to(_call(port, b"")) == b""
    assert kept.engine.hear("refused")[0].startswith("408 1 wf-a ")


def test_many_connections_do_not_keep_an_honest_call_out(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "HEAD_SECONDS", 600.0)
    port = kept.engine.hold("wf-a")
    kept.engine.say("serve")
    idle = [_call(port, b"POST") for _ in range(30)]

    client = _call(port)
    kept.engine.answer()

    assert _answer_to(client).endswith(b"done")
    assert b" 503 " in _answer_to(idle[0])
    for each in idle[1:]:
        each.close()


MALFORMED = [
    b"\x16\x03\x01 hello\r\n\r\n",
    b"GET /mcp\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nA B: c\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nA: " + b"x" * 40_000,
]


def test_malformed_requests_are_counted_and_told_once_in_a_while(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")
    kept.engine.say("serve")

    for request in MALFORMED * 5:
        answer = _answer_to(_call(port, request))
        assert answer.split(b" ")[1] in (b"400", b"411", b"413", b"431")

    told = 0
    messages = 0
    while told < 5 * len(MALFORMED):
        told += int(kept.engine.hear("refused")[0].split(" ")[1])
        messages += 1
    assert told == 5 * len(MALFORMED)
    assert messages < told


def test_running_out_of_descriptors_is_survived(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text(f"{os.getpid()}\n")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-S", "-c", keeper_client.CODE, keeper_client.ROOT]
    with closing(theirs):
        child = subprocess.Popen(
            ["/bin/sh", "-c", 'ulimit -n 16; exec "$@"', "sh", *command],
            cwd=tmp_path,
            stdin=theirs.fileno(),
        )
    engine = Engine(ours)
    try:
        port = engine.hold("wf-a")
        engine.say("serve")
        crowd = [_call(port, b"POST") for _ in range(30)]
        assert engine.hear("refused")[0] == "503 1 wf-a no file descriptor is free"
        for each in crowd:
            each.close()
        client = _call(port)
        engine.answer()

        assert _answer_to(client).endswith(b"done")
        assert child.poll() is None
    finally:
        ours.close()
        child.kill()
        child.wait()


def test_a_keeper_that_is_killed_is_replaced_and_its_ports_stay_open(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text(f"{os.getpid()}\n")

    async def answer_one_call() -> bytes:
        called: asyncio.Queue[socket.socket] = asyncio.Queue()
        found = Ports(
            tmp_path, lambda _, connection: called.put_nowait(connection), lambda *_: None
        )
        await found.start(may_spawn=True)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        await found.hold("wf-a", listener)
        found.serve()
        keeper = keeper_of(tmp_path)
        assert keeper is not None
        os.kill(keeper, signal.SIGKILL)

        client = await asyncio.to_thread(_call, port)
        connection = await asyncio.wait_for(called.get(), DEADLINE)
        await asyncio.get_running_loop().sock_recv(connection, 4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        connection.close()
        answer = await asyncio.to_thread(_answer_to, client)
        await found.drop("wf-a")
        found.leave()
        return answer

    assert asyncio.run(answer_one_call()).endswith(b"done")


def test_nothing_that_outlives_an_engine_holds_its_output_open(home: Home) -> None:
    engine = home.popen("serve", "--foreground")
    home.wait_for_engine()
    file = home.pipeline("p", [{"key": "a", "run": "echo begun; sleep 61"}])
    id = home.perles("create", file).stdout.strip()
    assert home.perles("start", id).returncode == 0
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)

    engine.kill()
    engine.communicate(timeout=DEADLINE)  # ends when nobody holds the pipes any more

    left = family([f"PERLES_HOME={home.root}"])
    assert len(left) > 1  # the keeper and the agent


def test_json_of_a_refusal_can_be_read(kept: Kept) -> None:
    port = kept.engine.hold("wf-a")

    answer = _answer_to(_call(port, MALFORMED[0]))

    assert json.loads(answer.split(b"\r\n\r\n", 1)[1]) == {"error": "no HTTP request"}
