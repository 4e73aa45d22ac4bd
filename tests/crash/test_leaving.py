"""An engine that is told to end: with its agents, without them, and at once."""

import signal

from tests.crash.world import World, tasks
from tests.integration.cli import DEADLINE


def _begun(storm: World, seconds: float = 2) -> str:
    id = storm.create(tasks(2, seconds=seconds))
    storm.serve()
    storm.wait_for_text(id, "begins 3")
    return id


def test_an_engine_that_leaves_its_agents_ends_and_the_next_one_goes_on(storm: World) -> None:
    id = _begun(storm)
    assert storm.engine is not None

    stopped = storm.home.perles("engine", "stop", "--leave-agents")

    assert stopped.returncode == 0, stopped.stderr
    assert storm.engine.wait(timeout=DEADLINE) == 0
    assert storm.state(id) == "running"
    assert storm.family(id)
    storm.serve()
    storm.finish(id)
    assert storm.value("SELECT count(*) FROM turns WHERE status != 'succeeded'") == 0


def test_shutdown_pauses_what_runs_and_it_can_go_on(storm: World) -> None:
    id = _begun(storm)

    storm.plane.shutdown(timeout=30)

    assert storm.state(id) == "paused"
    assert storm.family(id) == []
    assert storm.engine is not None
    assert storm.engine.wait(timeout=DEADLINE) == 0
    storm.plane.shutdown()  # nothing to do is no error
    storm.serve()
    storm.plane.request(id, "resume", {})
    storm.finish(id, killed_agents=1)


def test_a_second_signal_kills_the_agents_that_take_their_time(storm: World) -> None:
    run = "trap 'touch asked' TERM; echo begins; while :; do sleep 0.2 || true; done"
    id = storm.create([{"key": "t0", "run": run}])
    engine = storm.serve()
    storm.wait_for_text(id, "begins")

    engine.send_signal(signal.SIGINT)
    storm.wait_for("the pause", (storm.home.work / "asked").exists)
    engine.send_signal(signal.SIGINT)

    assert engine.wait(timeout=DEADLINE) == 0
    assert storm.state(id) == "paused"
    assert storm.family(id) == []
    assert storm.value("SELECT exit_code FROM turns ORDER BY id DESC") == -signal.SIGKILL
