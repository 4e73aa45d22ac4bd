"""A turn that takes too long, is silent too long or prints too much is ended, by any engine."""

import pytest

from tests.crash.world import World

LONG = "echo begins; sleep 61"
FLOOD = "echo begins; yes | head -c 4M; sleep 61"  # without end it would fill the disk meanwhile
CASES = {
    "turn": (LONG, {"PERLES_TIMEOUTS__TURN": "1500ms"}, "timed_out", "longer than 1s500ms"),
    "silence": (LONG, {"PERLES_TIMEOUTS__SILENCE": "1500ms"}, "timed_out", "nothing for 1s500ms"),
    "output": (FLOOD, {"PERLES_LIMITS__TURN_OUTPUT": "1MiB"}, "failed", "the limit is 1048576"),
}


@pytest.mark.parametrize("limit", CASES)
def test_a_turn_beyond_a_limit_is_ended_with_that_reason(storm: World, limit: str) -> None:
    run, environ, status, reason = CASES[limit]
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve(**environ)

    storm.wait_for("its end", lambda: storm.state(id) == "failed")

    sql = "SELECT status, error FROM turns t WHERE error IS NOT NULL ORDER BY id"
    found, error = storm.query(sql)[0]
    assert found == status
    assert reason in error
    assert storm.family(id) == []


@pytest.mark.parametrize("limit", ["turn", "silence"])
def test_a_limit_holds_for_a_turn_that_another_engine_began(storm: World, limit: str) -> None:
    run, environ, status, _ = CASES[limit]
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve()
    storm.wait_for_text(id, "begins")
    storm.kill_engine()

    storm.serve(**environ)

    storm.wait_for("its end", lambda: storm.state(id) == "failed")
    turns = "SELECT count(*) FROM turns t JOIN agents a ON a.id = t.agent_id WHERE a.name = ?"
    assert storm.value(f"{turns} AND t.status = ?", "worker-1", status) == 1
    assert storm.value(turns, "worker-1") == 1


def test_a_turn_that_goes_on_printing_is_not_silent(storm: World) -> None:
    run = "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.3; done; echo t0 >> effects"
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve(PERLES_TIMEOUTS__SILENCE="1500ms")

    storm.finish(id)
