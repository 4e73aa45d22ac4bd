"""Services, mutexes and last tasks over engines that are killed at each point."""

import signal
from collections import Counter
from typing import Any

import pytest

from tests.crash.world import World
from tests.integration.cli import DEADLINE, Home

POINTS = {
    "service.before-begin": 1,
    "service.before-ready": 1,
    "service.after-ready": 1,
    "service.after-complete": 1,
    "begin.after-commit": 2,
    "outcome.after-commit": 2,
    "running.before-commit": 1,
}
SERVICE = "echo $$ >> pids; echo up; exec sleep 600"
USE = """\
mkdir held || touch collision
kill -0 "$(tail -1 pids)" || touch unserved
sleep 0.1; rmdir held; echo "$KEY" >> effects
"""


def _plan() -> list[dict[str, Any]]:
    uses = {"run": USE, "mutex": "held", "after": ["web"]}
    service = {"run": SERVICE, "service": True, "ready": {"line": "^up$"}, "retries": 1}
    return [{"key": "web", **service}] + [
        {"key": key, "env": {"KEY": key}, **uses} for key in ("a", "b")
    ]


@pytest.mark.parametrize("point", POINTS)
def test_all_is_done_once_and_nothing_is_left(storm: World, point: str) -> None:
    last = {"key": "last", "run": "echo last >> effects"}
    id = _create(storm, storm.home, last)

    died = storm.serve(fault=f"{point}:{POINTS[point]}").wait(timeout=DEADLINE)

    assert died == -signal.SIGKILL
    storm.serve()
    storm.wait_for_end(id)
    storm.stop_engine()
    work = storm.home.work
    assert Counter((work / "effects").read_text().split()) == {"a": 1, "b": 1, "last": 1}
    assert not (work / "collision").exists()
    assert not (work / "unserved").exists()
    assert (work / "pids").read_text().count("\n") == 1
    assert storm.query("SELECT * FROM named_leases") == []
    assert storm.query("SELECT * FROM leases") == []
    assert storm.family(id) == []
    assert storm.plane.check() == []


def _create(storm: World, home: Home, last: dict[str, Any]) -> str:
    file = home.pipeline("storm", _plan(), workers=2, **{"finally": [last]})
    done = home.perles("create", file)
    assert done.returncode == 0, done.stderr
    id = done.stdout.strip()
    storm.plane.request(id, "start", {})
    return id


def test_a_stop_ends_the_service_and_frees_the_mutex(storm: World) -> None:
    uses = {"run": "touch held; sleep 600", "mutex": "held", "after": ["web"]}
    id = storm.create([_plan()[0], {"key": "a", **uses}])
    storm.serve()
    storm.wait_for("its begin", lambda: (storm.home.work / "held").exists())

    assert storm.home.perles("stop", id).returncode == 0

    assert storm.family(id) == []
    assert storm.query("SELECT * FROM named_leases") == []
    storm.stop_engine()
    assert storm.plane.check() == []
