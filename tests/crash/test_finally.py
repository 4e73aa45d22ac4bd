"""finally: its tasks run once when a workflow is stopped, whenever the engine is killed."""

import signal
from pathlib import Path

import pytest

from perles import WorkflowSpec
from tests.crash.world import World
from tests.integration.cli import DEADLINE

FILE = """\
name: finally
workers: 2
tasks:
  - {key: work, run: "echo works; sleep 300"}
  - {key: later, run: "echo later >> effects", after: work}
finally:
  - {key: clean, run: "echo clean >> effects"}
  - {key: tell, run: "echo tell >> effects", after: clean}
  - {key: alarm, run: "echo alarm >> effects", when: on_failure}
"""


def _works(storm: World) -> str:
    """A workflow in the midst of its work, whose engine was killed."""
    file = storm.home.work / "finally.yaml"
    file.write_text(FILE)
    spec = WorkflowSpec(
        template_id="pipeline", work_dir=str(storm.home.work), args={"file": str(file)}
    )
    id = storm.plane.create(spec)
    storm.plane.request(id, "start", {})
    storm.serve()
    storm.wait_for_text(id, "works")
    return id


def _effects(storm: World) -> list[str]:
    file = Path(storm.home.work / "effects")
    return file.read_text().split() if file.exists() else []


def _is_stopped(storm: World, id: str) -> None:
    storm.wait_for("its end", lambda: storm.state(id) == "stopped")
    assert _effects(storm) == ["clean", "tell"]
    statuses = storm.query("SELECT key, status FROM tasks WHERE workflow_id = ?", id)
    assert {row[0]: row[1] for row in statuses} == {
        "work": "skipped",
        "later": "skipped",
        "clean": "done",
        "tell": "done",
        "alarm": "skipped",
    }
    assert storm.query("SELECT * FROM leases") == []
    assert storm.family(id) == []


@pytest.mark.parametrize(
    "point",
    [
        "command.taken",
        "finally.before-commit",
        "finally.after-commit",
        "command.after-commit",
        "spawn.after",
        "outcome.after-commit",
        "end.before-commit",
        "end.after-commit",
    ],
)
def test_an_engine_that_dies_while_it_stops_runs_them_once(storm: World, point: str) -> None:
    id = _works(storm)
    storm.kill_engine()
    storm.plane.request(id, "stop", {"reason": "enough"})

    died = storm.serve(fault=f"{point}:1").wait(timeout=DEADLINE)

    assert died == -signal.SIGKILL
    storm.serve()
    _is_stopped(storm, id)
    storm.stop_engine()


def test_a_second_stop_cuts_them_off(storm: World) -> None:
    id = _works(storm)
    (storm.home.work / "effects").write_text("")
    storm.change("UPDATE tasks SET run = 'echo cleans; sleep 300' WHERE key = 'clean'")
    first = storm.plane.stop(id, reason="enough")
    assert (first.status, "its finally tasks run first (clean, tell)" in first.text) == (
        "waiting",
        True,
    )
    storm.wait_for_text(id, "cleans")

    second = storm.plane.stop(id)

    assert second.status == "succeeded"
    assert (storm.state(id), _effects(storm)) == ("stopped", [])
    assert storm.value("SELECT reason FROM workflows WHERE id = ?", id) == "enough"
    assert storm.family(id) == []
    storm.stop_engine()


def test_force_leaves_them_out(storm: World) -> None:
    id = _works(storm)
    assert storm.plane.stop(id, force=True).status == "succeeded"
    assert (storm.state(id), _effects(storm)) == ("stopped", [])
    storm.stop_engine()
