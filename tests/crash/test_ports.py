"""Calls and ports while no engine runs: nobody fails for it, and nobody else gets there."""

import http.client
import json
import os
import signal
import socket
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from perles.keeper.main import SOCKET_NAME
from perles.keeper.whereabouts import keeper_of
from tests.crash.world import World, tasks

CUT_OFF = "SELECT count(*) FROM turns WHERE status = 'lost'"
LAST_PORT = """
SELECT CAST(json_extract(payload, '$.value') AS BIGINT) FROM events
WHERE type = 'resource.lease_granted' AND json_extract(payload, '$.kind') = 'port'
AND workflow_id = ? ORDER BY seq DESC LIMIT 1
"""
RESTARTS = int(os.environ.get("PERLES_TEST_RESTARTS", "3"))


def _begun(storm: World, seconds: float = 3, *, at_first: bool = False) -> str:
    """A workflow whose task sleeps so long, with `at_first` at its first attempt only."""
    (task,) = tasks(1, seconds=seconds, retries=3)
    if at_first:
        sleep = f"sleep {seconds}"
        task["run"] = task["run"].replace(sleep, f"[ -e tried ] || {{ touch tried; {sleep}; }}")
    id = storm.create([task])
    storm.serve()
    storm.wait_for_text(id, "begins 3")
    return id


def _port(storm: World, id: str) -> int:
    return int(storm.value("SELECT mcp_port FROM workflows WHERE id = ?", id))


def _token(storm: World, id: str) -> str:
    session = storm.value("SELECT session_dir FROM workflows WHERE id = ?", id)
    return Path(storm.home.root, session, "worker-1", "token").read_text()


def _kill_keeper(storm: World) -> None:
    keeper = keeper_of(storm.home.root)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)


def _listen(port: int) -> socket.socket:
    stranger = socket.socket()
    try:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
    except OSError:
        stranger.close()
        raise
    return stranger


def _try_to_listen(port: int) -> socket.socket | None:
    with suppress(OSError):
        return _listen(port)
    return None


class Caller(Thread):
    """An MCP client that knows no second try: it counts its calls and those that fail."""

    def __init__(self, port: int, token: str, number: int) -> None:
        super().__init__(daemon=True)
        self._port, self._token, self._number = port, token, number
        self.enough = Event()
        self.made = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Call without end."""
        while not self.enough.is_set():
            self.made += 1
            try:
                self._call()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.failures.append(repr(error))

    def _call(self) -> None:
        params = {"name": "signal_ready", "arguments": {}}
        body = {"jsonrpc": "2.0", "id": self.made, "method": "tools/call", "params": params}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        with closing(connection):
            headers = {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
            }
            connection.request("POST", "/mcp", body=json.dumps(body), headers=headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 200 or answer["result"].get("isError"):
            raise ValueError(f"{response.status} {answer}")


def test_no_call_fails_and_none_counts_twice_however_often_the_engine_is_killed(
    storm: World,
) -> None:
    id = storm.create([{"key": "t0", "run": "echo begins; while [ ! -e end ]; do sleep 0.1; done"}])
    storm.serve()
    storm.wait_for_text(id, "begins")
    before = storm.value("SELECT count(*) FROM commands WHERE kind = 'signal_ready'")
    callers = [Caller(_port(storm, id), _token(storm, id), number) for number in range(3)]
    for caller in callers:
        caller.start()

    for number in range(RESTARTS):
        made = sum(caller.made for caller in callers)
        storm.wait_for("some calls", lambda: sum(caller.made for caller in callers) > made + 9)  # noqa: B023
        sleep(number * 0.0137 % 0.05)  # at another instant of a call each time
        storm.kill_engine()
        storm.serve()
    for caller in callers:
        caller.enough.set()
    for caller in callers:
        caller.join()

    assert [failure for caller in callers for failure in caller.failures] == []
    count = storm.value("SELECT count(*) FROM commands WHERE kind = 'signal_ready'")
    assert count - before == sum(caller.made for caller in callers)
    assert storm.value(CUT_OFF) == 0
    (storm.home.work / "end").touch()
    storm.wait_for_end(id)


def test_nobody_gets_the_port_while_no_engine_runs(storm: World) -> None:
    id = _begun(storm)
    storm.kill_engine()

    with pytest.raises(OSError, match="in use"):
        _listen(_port(storm, id))

    storm.serve()
    storm.finish(id)
    assert storm.value(CUT_OFF) == 0


@pytest.mark.parametrize("stays", [True, False], ids=["taken", "free again"])
def test_a_port_that_was_lost_all_the_same_costs_the_tokens_that_anybody_may_have_got(
    storm: World, stays: bool
) -> None:
    id = _begun(storm, seconds=600, at_first=True)  # however late the next engine is
    port, token = _port(storm, id), _token(storm, id)
    storm.kill_engine()
    _kill_keeper(storm)
    stranger: socket.socket = storm.wait_for("the port", lambda: _try_to_listen(port))
    if not stays:
        stranger.close()

    with closing(stranger):
        storm.serve()
        storm.wait_for_engine()
        storm.wait_for_end(id)

    assert (storm.value(LAST_PORT, id) == port) is not stays
    assert _token(storm, id) != token
    assert storm.value(CUT_OFF) > 0
    storm.finish(id, killed_agents=1)


def test_a_stopped_workflow_leaves_no_port_where_no_engine_runs(storm: World) -> None:
    id = _begun(storm, seconds=60)
    port = _port(storm, id)
    storm.kill_engine()

    storm.plane.stop(id, grace=0.2)

    _listen(port).close()
    assert not (storm.home.root / SOCKET_NAME).exists()
