"""Calls of agents on another machine: relayed to the engine, or held while none is heard."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from perles.domain.errors import LateCallError
from perles.keeper.main import NODE_LOCK_NAME
from perles.mcp import relayed
from perles.mcp.guard import Guard
from perles.mcp.host import Caller
from perles.mcp.listener import Listener
from perles.mcp.protocol import Protocol
from perles.mcp.relay import Relay, Waiting
from perles.mcp.relayed import Pump, RelayNode
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.reader import Reader
from tests.integration.cli import DEADLINE

ENGINE_PORT: Final = 4711
"""Where agents beside the engine call; nobody listens there."""
WORKFLOW: Final = "wf-a"
CALL: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "signal_ready", "arguments": {}},
}


class Host:
    """The engine as tools see it: it keeps what it answered to a key."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.carried_out = 0
        self.refused: list[tuple[int, int, str]] = []
        self.late = False
        self.has_refused = asyncio.Event()
        self.has_three = asyncio.Event()

    def identify(self, token: str) -> Caller | None:
        return Caller(WORKFLOW, 1, "worker-1", "worker") if token == "right" else None

    def reader(self) -> Reader:
        raise NotImplementedError

    async def command(
        self, caller: Caller, kind: str, args: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        assert key is not None
        if self.late:
            raise LateCallError(7, "lost")
        if key not in self.answers:
            self.carried_out += 1
            self.answers[key] = {"number": self.carried_out}
            if self.carried_out == 3:
                self.has_three.set()
        return self.answers[key]

    def seen(self, caller: Caller, post_ids: Sequence[int]) -> None: ...

    def hides(self, caller: Caller) -> Collection[str]:
        return ()

    def rejected(self, workflow_id: str, status: int, count: int, why: str) -> None:
        self.refused.append((status, count, why))
        self.has_refused.set()


class Engine:
    """A server and its pump. What it does with the node can be cut."""

    def __init__(
        self, host: Host, node: RelayNode, failures: tuple[type[Exception], ...] = (OSError,)
    ) -> None:
        roles = {"worker": Protocol("worker", TOOLS_BY_ROLE["worker"], host)}
        guard = Guard(host, WORKFLOW, ENGINE_PORT, roles, max_body=1 << 20)
        self._listener = Listener(guard)
        self._pump = Pump(node, self._serve, host.rejected, failures=failures)
        self._task = asyncio.ensure_future(self._pump.run())

    def _serve(self, workflow_id: str, port: int, connection: socket.socket) -> None:
        if workflow_id == WORKFLOW:
            self._listener.take(connection, port)
        else:
            connection.close()

    async def die(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._listener.close()


class Line:
    """What is between an engine and a node; `cuts` answers of either are lost on the way."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.cuts = {"waiting": 0, "answer before": 0, "answer after": 0}
        self.answered = asyncio.Event()

    async def waiting(self, have: Collection[str], told: int, seconds: float) -> Waiting:
        found = await self.relay.waiting(have, told, min(seconds, 0.2))
        self._cut("waiting", when=bool(found.calls))
        return found

    async def answer(self, id: str, response: bytes) -> None:
        self.answered.set()
        self._cut("answer before")
        self.relay.answer(id, response)
        self._cut("answer after")

    def _cut(self, where: str, *, when: bool = True) -> None:
        if when and self.cuts[where]:
            self.cuts[where] -= 1
            raise ConnectionResetError(where)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / NODE_LOCK_NAME).write_text(f"{os.getpid()}\n")
    monkeypatch.setattr(relayed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(relayed, "LONGEST_PAUSE", 0.05)
    return tmp_path


@asynccontextmanager
async def _node(folder: Path) -> AsyncIterator[Relay]:
    relay = Relay(folder)
    await relay.start()
    try:
        yield relay
        await relay.close(WORKFLOW)
    finally:
        await relay.leave()


async def _post(
    port: int,
    *,
    token: str = "right",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """What an agent on the node is answered."""
    data = json.dumps(CALL).encode() if body is None else body
    head = {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(data))}
    head |= {"Authorization": f"Bearer {token}"} if token else {}
    lines = [f"{name}: {value}" for name, value in (head | (headers or {})).items()]
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join(["POST /mcp HTTP/1.1", *lines, "", ""]).encode() + data)
        answer = await reader.read()
        writer.close()
    first, _, rest = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(rest)


def _number(answer: dict[str, Any]) -> int:
    return int(answer["result"]["structuredContent"]["number"])


async def test_a_call_on_a_node_is_answered_by_the_engine(folder: Path) -> None:
    host = Host()
    async with _node(folder) as relay:
        port = await relay.open(WORKFLOW)
        assert await relay.open(WORKFLOW) == port
        engine = Engine(host, Line(relay))

        status, answer = await _post(port)

        assert (status, _number(answer)) == (200, 1)
        await engine.die()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"token": "wrong"}, 401),
        ({"token": ""}, 401),
        ({"headers": {"Host": "evil.example"}}, 421),
        ({"headers": {"Host": f"127.0.0.1:{ENGINE_PORT}"}}, 421),
        ({"headers": {"Origin": "http://evil.example"}}, 403),
        ({"body": b"{no json"}, 400),
    ],
)
async def test_i9_a_hostile_request_on_a_node_is_refused_as_on_one_machine(
    folder: Path, given: dict[str, Any], status: int
) -> None:
    host = Host()
    async with _node(folder) as relay:
        engine = Engine(host, Line(relay))

        found, answer = await _post(await relay.open(WORKFLOW), **given)

        assert found == status
        assert "error" in answer
        async with asyncio.timeout(DEADLINE):
            await host.has_refused.wait()
        assert [refusal[0] for refusal in host.refused] == [status]
        assert host.carried_out == 0
        await engine.die()


@pytest.mark.parametrize("where", ["waiting", "answer before", "answer after"])
async def test_a_call_whose_line_is_cut_is_carried_out_once(folder: Path, where: str) -> None:
    host = Host()
    async with _node(folder) as relay:
        line = Line(relay)
        line.cuts[where] = 3
        engine = Engine(host, line)
        port = await relay.open(WORKFLOW)

        answers = await asyncio.gather(*(_post(port) for _ in range(4)))

        assert sorted(_number(answer) for _, answer in answers) == [1, 2, 3, 4]
        assert host.carried_out == 4
        assert line.cuts[where] == 0
        await engine.die()


async def test_a_call_waits_for_the_next_engine_when_its_own_dies_with_it(folder: Path) -> None:
    host = Host()
    async with _node(folder) as relay:
        line = Line(relay)
        line.cuts["answer before"] = 10_000
        first = Engine(host, line)
        call = asyncio.ensure_future(_post(await relay.open(WORKFLOW)))
        await line.answered.wait()  # it was carried out, and the answer did not reach the node
        await first.die()
        assert host.carried_out == 1
        assert not call.done()

        second = Engine(host, Line(relay))

        assert _number((await call)[1]) == 1
        assert host.carried_out == 1
        await second.die()


async def test_the_next_node_has_the_ports_and_calls_of_one_that_died(folder: Path) -> None:
    host = Host()
    first = Relay(folder)
    await first.start()
    port = await first.open(WORKFLOW)
    call = asyncio.ensure_future(_post(port))
    held = await first.waiting(seconds=DEADLINE)
    assert len(held.calls) == 1
    first._ports.leave()  # as the kernel closes the channel of a process that is killed

    async with _node(folder) as relay:
        assert await relay.open(WORKFLOW) == port
        engine = Engine(host, Line(relay))

        assert _number((await call)[1]) == 1
        assert host.carried_out == 1
        await engine.die()


async def test_a_call_of_a_turn_that_is_over_is_a_conflict(folder: Path) -> None:
    host = Host()
    host.late = True
    async with _node(folder) as relay:
        engine = Engine(host, Line(relay))

        status, answer = await _post(await relay.open(WORKFLOW))

        assert status == 409
        assert answer == {"error": "cannot call a tool in turn 7: it is lost"}
        assert [refusal[0] for refusal in host.refused] == [409]
        await engine.die()


async def test_a_workflow_that_is_closed_lets_its_callers_go(folder: Path) -> None:
    async with _node(folder) as relay:
        port = await relay.open(WORKFLOW)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        await relay.waiting(seconds=DEADLINE)

        await relay.close(WORKFLOW)

        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
