"""Services: ready before what needs them, ended after it, whatever happens meanwhile."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests import ports
from tests.crash.world import World, world
from tests.integration.cli import Home

pytestmark = pytest.mark.measured

PORT = ports.HOME + 90
SERVE = (
    "echo $$ >> pids; trap 'echo TERM >> told; exit 0' TERM; echo up; while :; do sleep 0.05; done"
)
NEEDS = 'kill -0 "$(tail -1 pids)"; echo "$KEY" >> effects'


@pytest.fixture
def storm(home: Home) -> Iterator[World]:
    with world(home) as made:
        yield made


def _service(run: str = SERVE, **more: Any) -> dict[str, Any]:
    return {"key": "web", "run": run, "service": True, "ready": {"line": "^up$"}, **more}


def _user(key: str, run: str = NEEDS, **more: Any) -> dict[str, Any]:
    return {"key": key, "run": run, "after": ["web"], "env": {"KEY": key}, **more}


def _told(storm: World, type: str) -> list[str]:
    sql = "SELECT json_extract(payload, '$.text') FROM events WHERE type = ? ORDER BY seq"
    return [row[0] for row in storm.query(sql, type)]


def _failure(storm: World, id: str, key: str) -> str:
    sql = "SELECT failure FROM tasks WHERE workflow_id = ? AND key = ?"
    return str(storm.value(sql, id, key))


def _over(storm: World, id: str) -> str:
    storm.wait_for("its end", lambda: storm.state(id) in ("completed", "failed"))
    return storm.state(id)


def test_it_lives_until_the_last_that_needs_it_is_over(storm: World) -> None:
    last = {**_user("c"), "after": ["web", "b"]}
    id = storm.create([_service(), _user("a"), _user("b"), last], workers=1)
    storm.serve()

    storm.wait_for_end(id)

    assert sorted((storm.home.work / "effects").read_text().split()) == ["a", "b", "c"]
    assert (storm.home.work / "pids").read_text().count("\n") == 1
    assert (storm.home.work / "told").read_text() == "TERM\n"
    assert _told(storm, "task.service_ended") == ["ended by TERM"]
    assert storm.family(id) == []
    shown = storm.home.json("show", id, "--json")
    assert [agent["status"] for agent in shown["agents"] if agent["name"] == "service-web"] == [
        "retired"
    ]
    logs = storm.home.perles("logs", id, "--agent", "service-web").stdout
    assert "up" in logs
    storm.stop_engine()
    assert storm.plane.check() == []


def test_one_that_does_not_end_after_term_is_killed_and_named(storm: World) -> None:
    stubborn = "trap '' TERM; echo $$ >> pids; echo up; while :; do sleep 0.05; done"
    id = storm.create([_service(stubborn, timeout={"grace": "500ms"}), _user("a")])
    storm.serve()

    storm.wait_for_end(id)

    (said,) = _told(storm, "task.service_ended")
    assert said == "did not end within 500ms after TERM: killed"
    assert storm.family(id) == []
    storm.stop_engine()


def test_a_line_far_on_in_the_output_is_found(storm: World) -> None:
    talks = "seq 100000; echo up; while :; do sleep 0.05; done"  # 589 KB before it
    id = storm.create([_service(f"echo $$ >> pids; {talks}"), _user("a")])
    storm.serve()

    assert _over(storm, id) == "completed"
    storm.stop_engine()


def test_one_that_is_never_ready_fails_with_the_reason(storm: World) -> None:
    quiet = {"tcp": PORT, "timeout": "500ms"}
    id = storm.create([_service("sleep 600", ready=quiet), _user("a")])
    storm.serve()

    assert _over(storm, id) == "failed"

    assert _failure(storm, id, "web") == (
        f"not ready after 500ms: tcp 127.0.0.1:{PORT}: connection refused"
    )
    assert storm.value("SELECT status FROM tasks WHERE key = 'a'") == "skipped"
    assert storm.family(id) == []
    storm.stop_engine()


def test_one_whose_port_is_taken_says_by_whom(storm: World) -> None:
    with socket.create_server(("127.0.0.1", PORT)):
        id = storm.create([_service("sleep 600", ready={"tcp": PORT}), _user("a")])
        storm.serve()

        assert _over(storm, id) == "failed"

    failure = _failure(storm, id, "web")
    assert failure.startswith(f"port {PORT} is held by python")
    assert "(pid " in failure
    storm.stop_engine()


def test_one_that_dies_while_it_is_needed_is_started_again(storm: World) -> None:
    dies_once = f"[ -e pids ] || {{ echo 1 > pids; echo up; exit 3; }}; {SERVE}"
    patient = _user("a", f"until [ $(wc -l < pids) = 2 ]; do sleep 0.05; done; {NEEDS}")
    id = storm.create([_service(dies_once, retries=1), patient])
    storm.serve()

    storm.wait_for_end(id)

    assert storm.value("SELECT attempt FROM tasks WHERE key = 'web'") == 2
    assert (storm.home.work / "effects").read_text().split() == ["a"]
    storm.stop_engine()


def test_without_retries_its_end_fails_it_and_skips_what_waits(storm: World) -> None:
    dies = "echo up; until [ -e begun ]; do sleep 0.05; done; exit 3"
    running = _user("a", "touch begun; sleep 0.5; echo a >> effects")
    waiting = {**_user("b"), "after": ["web", "a"]}
    id = storm.create([_service(dies), running, waiting])
    storm.serve()

    assert _over(storm, id) == "failed"

    assert _failure(storm, id, "web") == "it ended while it was needed: exit 3"
    states = dict(storm.query("SELECT key, status FROM tasks WHERE workflow_id = ?", id))
    assert states == {"web": "failed", "a": "done", "b": "skipped"}
    storm.stop_engine()


def test_the_next_engine_goes_on_with_the_same_process(storm: World) -> None:
    patient = _user("a", f"touch begun; until [ -e go ]; do sleep 0.05; done; {NEEDS}")
    id = storm.create([_service(), patient])
    storm.serve()
    storm.wait_for("its begin", lambda: (storm.home.work / "begun").exists())

    storm.kill_engine()
    storm.serve()
    storm.wait_for_engine()
    (storm.home.work / "go").touch()

    storm.wait_for_end(id)
    assert (storm.home.work / "pids").read_text().count("\n") == 1
    assert storm.value("SELECT count(*) FROM events WHERE type = 'task.serving'") == 1
    storm.stop_engine()


def test_after_a_pause_it_is_ready_again_before_what_needs_it_goes_on(storm: World) -> None:
    slow = f"[ ! -e pids ] || until [ -e go ]; do sleep 0.05; done; {SERVE}"
    patient = _user("a", f"echo begun >> begun; until [ -e go ]; do sleep 0.05; done; {NEEDS}")
    id = storm.create([_service(slow), patient])
    storm.serve()
    storm.wait_for("its begin", lambda: (storm.home.work / "begun").exists())
    assert storm.home.perles("pause", id).returncode == 0
    assert storm.value("SELECT serving_since FROM tasks WHERE key = 'web'") is None

    assert storm.home.perles("resume", id).returncode == 0

    storm.wait_for("the service", lambda: storm.turn_of("service-web"))
    assert (storm.home.work / "begun").read_text().split() == ["begun"]
    (storm.home.work / "go").touch()
    storm.wait_for_end(id)
    assert (storm.home.work / "begun").read_text().split() == ["begun", "begun"]
    storm.stop_engine()


def test_a_command_may_say_that_it_is_ready(storm: World) -> None:
    asked = {"command": 'echo asked >> asks; test "$(wc -l < asks)" -ge 3', "timeout": "60s"}
    id = storm.create([_service(ready=asked), _user("a")])
    storm.serve()

    storm.wait_for_end(id)

    assert (storm.home.work / "asks").read_text().split() == ["asked"] * 3
    storm.stop_engine()


def test_a_retry_starts_it_again_for_what_is_tried_again(storm: World) -> None:
    fails = _user("b", f"[ -e mended ] || exit 1; {NEEDS}")
    id = storm.create([_service(), _user("a"), fails])
    storm.serve()
    assert _over(storm, id) == "failed"
    (storm.home.work / "mended").touch()

    done = storm.home.perles("retry", id, "--json")

    assert done.returncode == 0, done.stderr
    second = str(storm.value("SELECT id FROM workflows WHERE retried_from = ?", id))
    storm.wait_for("its start", lambda: storm.state(second) != "pending" or _start(storm, second))
    storm.wait_for_end(second)
    assert (storm.home.work / "effects").read_text().split() == ["a", "b"]
    assert (storm.home.work / "pids").read_text().count("\n") == 2
    storm.stop_engine()


def _start(storm: World, id: str) -> bool:
    return storm.home.perles("start", id).returncode == 0


def test_one_that_takes_its_time_to_end_has_the_time_that_it_was_given(storm: World) -> None:
    slow = "trap 'sleep 12; echo saved >> saved; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    id = storm.create([_service(slow, timeout={"grace": "60s"}), _user("a", "true")])
    storm.serve()

    storm.wait_for_end(id)
    storm.wait_for("its end", lambda: _told(storm, "task.service_ended"))

    assert (storm.home.work / "saved").read_text() == "saved\n"
    assert _told(storm, "task.service_ended") == ["ended by TERM"]
    storm.stop_engine()
