"""Somebody else takes a workflow's port while no engine runs."""

import socket

from tests.crash.world import World, tasks

CUT_OFF = "SELECT count(*) FROM turns WHERE status = 'lost'"


def _begun(storm: World) -> str:
    id = storm.create(tasks(1, seconds=3, retries=3))
    storm.serve()
    storm.wait_for_text(id, "begins 3")
    return id


def _take_port(storm: World, id: str) -> socket.socket:
    """Kill the engine and listen where it listened."""
    port = storm.value("SELECT mcp_port FROM workflows WHERE id = ?", id)
    storm.kill_engine()
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stranger.bind(("127.0.0.1", port))
    stranger.listen()
    return stranger


def test_a_port_that_is_free_again_soon_is_waited_for_and_no_agent_is_cut_off(
    storm: World,
) -> None:
    id = _begun(storm)

    with _take_port(storm, id):
        storm.serve()
        storm.wait_for_engine()

    storm.finish(id)
    assert storm.value(CUT_OFF) == 0


def test_a_workflow_whose_port_stays_taken_moves_to_another_one(storm: World) -> None:
    id = _begun(storm)

    with _take_port(storm, id) as stranger:
        taken = stranger.getsockname()[1]
        storm.serve()
        storm.wait_for_end(id)

    assert storm.value("SELECT mcp_port FROM workflows WHERE id = ?", id) != taken
    assert storm.value(CUT_OFF) > 0
    storm.finish(id, killed_agents=1)
