"""What an agent leaves behind when it is killed is ended before its work is given out again."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from perles.executor.local import processes
from perles.executor.local.identity import identify
from tests.crash.world import World, agent_of, kill, tasks
from tests.integration.cli import signal_all

pytestmark = pytest.mark.afresh


def _begun(storm: World, *, seconds: float = 2, retries: int = 3) -> str:
    id = storm.create(tasks(1, seconds=seconds, retries=retries))
    storm.serve()
    storm.wait_for_text(id, "begins 3")
    return id


def test_a_command_whose_worker_was_killed_is_ended_before_it_runs_again(storm: World) -> None:
    id = _begun(storm)
    agent = agent_of(storm.turn_of("worker-1"))

    assert agent is not None
    assert kill(agent)

    storm.finish(id, killed_agents=1)


def test_a_command_whose_launcher_was_killed_is_ended_before_it_runs_again(storm: World) -> None:
    id = _begun(storm, retries=1)

    assert kill(storm.turn_of("worker-1").pid)

    storm.finish(id, killed_agents=1)  # by its retries alone: it may have done its work
    assert storm.value("SELECT attempt FROM tasks") == 2


def test_a_command_that_outlives_engine_launcher_and_worker_is_ended_first(storm: World) -> None:
    id = _begun(storm, retries=1)
    launcher = storm.turn_of("worker-1")
    agent = agent_of(launcher)

    storm.kill_engine()
    assert agent is not None
    assert kill(launcher.pid)
    assert kill(agent)
    assert storm.family(id)  # the command lives on

    storm.serve()
    storm.finish(id, killed_agents=1)
    assert storm.value("SELECT attempt FROM tasks") == 2


def test_a_worker_whose_engine_dies_reports_what_it_did_to_the_next_one(storm: World) -> None:
    id = _begun(storm, seconds=1)

    storm.kill_engine()
    storm.wait_for("the command's end", (storm.home.work / "effects").exists)
    storm.serve()

    storm.finish(id)
    assert storm.value("SELECT count(*) FROM turns WHERE status IN ('lost', 'failed')") == 0


def test_a_grandchild_that_leaves_the_group_is_ended_with_its_agent(storm: World) -> None:
    run = "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.2; done' & echo begins; sleep 60"
    again = "test -e again && echo t0 >> effects && exit; touch again; " + run
    id = storm.create([{"key": "t0", "run": again, "retries": 1}])
    storm.serve()
    storm.wait_for_text(id, "begins")
    agent = agent_of(storm.turn_of("worker-1"))

    assert agent is not None
    assert kill(agent)

    storm.finish(id)


LONELY = (
    "env -i setsid sh -c 'trap \"\" TERM; (sleep 300 & sleep 300) & sleep 0.1' & "
    "setsid env -i /bin/sh -c 'exec sleep 300' < /dev/null > /dev/null 2>&1 & "
)
"""Processes without environment, session, parent or output of the task that left them."""


@pytest.mark.parametrize("end", ["complete", "stop", "kill and stop"])
def test_nothing_outlives_its_workflow_that_wiped_its_environment_and_left_its_session(
    storm: World, end: str
) -> None:
    wait = "" if end == "complete" else "sleep 300"
    run = f"{LONELY} sleep 0.3; echo begins; echo t0 >> effects; {wait}"
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve()
    storm.wait_for_text(id, "begins")

    if end == "complete":
        storm.wait_for_end(id)
    else:
        assert _sleepers(storm)
        if end == "kill and stop":
            storm.kill_engine()
        storm.plane.stop(id, grace=0.2)

    assert _sleepers(storm) == []


def _sleepers(storm: World) -> list[int]:
    """Each `sleep 300` that lives in this world's work dir."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if (entry / "cmdline").read_bytes().startswith(b"sleep\x00300"):
                found += [int(entry.name)] * ((entry / "cwd").readlink() == storm.home.work)
    return found


def test_an_agent_that_ignores_term_is_killed_after_its_grace(storm: World) -> None:
    run = "trap '' TERM INT; echo begins; while :; do sleep 0.2; done"
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve()
    storm.wait_for_text(id, "begins")

    storm.plane.stop(id, grace=0.5)

    assert storm.state(id) == "stopped"
    assert storm.family(id) == []


def test_a_stopped_agent_is_waited_for_and_goes_on(storm: World) -> None:
    id = _begun(storm, seconds=0.5)
    family = storm.family(id)

    signal_all(family, signal.SIGSTOP)
    try:
        storm.kill_engine()
        storm.serve()
        storm.wait_for_engine()
        effects = storm.home.work / "effects"
        assert not effects.exists()
    finally:
        signal_all(family, signal.SIGCONT)

    storm.finish(id)


def test_a_stopped_agent_does_not_hold_up_its_end(storm: World) -> None:
    id = _begun(storm, seconds=60)
    signal_all(storm.family(id), signal.SIGSTOP)

    storm.plane.stop(id, grace=0.2)

    assert storm.family(id) == []


def test_a_command_that_closes_its_output_and_lives_on_is_waited_for(storm: World) -> None:
    run = "echo begins; exec >&- 2>&-; sleep 1; echo t0 >> effects"
    id = storm.create([{"key": "t0", "run": run}])
    storm.serve()

    storm.finish(id)


@pytest.mark.parametrize("alive", [True, False], ids=["beside the launcher", "instead of it"])
def test_a_stranger_whose_pid_stands_in_a_row_is_never_signalled(storm: World, alive: bool) -> None:
    stranger = os.posix_spawn("/bin/sleep", ["sleep", "100"], {}, setsid=True)
    try:
        id = _begun(storm, seconds=1)
        storm.kill_engine()
        if not alive:
            processes.signal_family(signal.SIGKILL, [f"PERLES_WORKFLOW={id}"])
        _put_into_rows(storm, stranger, "start_ticks = start_ticks - 1")

        storm.serve()
        storm.finish(id, killed_agents=0 if alive else 1)

        assert os.waitpid(stranger, os.WNOHANG) == (0, 0)
    finally:
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)


def test_a_stranger_whose_whole_identity_stands_in_a_row_is_not_taken_for_the_agent(
    storm: World,
) -> None:
    stranger = os.posix_spawn("/bin/sleep", ["sleep", "100"], {}, setsid=True)
    try:
        id = _begun(storm, seconds=1)
        storm.kill_engine()
        known = identify(stranger)
        assert known is not None
        _put_into_rows(storm, stranger, f"start_ticks = {known.start_ticks}")

        storm.serve()
        storm.finish(id)

        assert os.waitpid(stranger, os.WNOHANG) == (0, 0)
    finally:
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)


def test_after_a_reboot_nothing_is_adopted_and_all_goes_on(storm: World) -> None:
    id = _begun(storm, retries=0)
    what_forks = psutil.Process(storm.turn_of("worker-1").pid).ppid()
    storm.kill_engine()
    assert kill(what_forks)  # first: it would note who was killed
    processes.signal_family(signal.SIGKILL, [f"PERLES_WORKFLOW={id}"])
    storm.change("UPDATE turns SET boot_id = 'another boot' WHERE status = 'running'")

    storm.serve()

    storm.finish(id, killed_agents=1)
    assert storm.value("SELECT count(*) FROM events WHERE type = 'engine.adopted'") == 0


def _put_into_rows(storm: World, pid: int, more: str) -> None:
    storm.change(f"UPDATE turns SET pid = {pid}, {more} WHERE status = 'running'")
