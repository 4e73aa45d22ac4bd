"""`perles maintenance check|reconcile`: what cron runs; quiet when all is well."""

import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from perles.controlplane.plane import ControlPlane
from perles.executor.local import processes
from perles.maintenance.lock import alone
from perles.store.place import shown
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home, signal_all


@pytest.fixture
def ended(home: Home) -> Home:
    home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))
    return home


def _write(home: Home, statement: str) -> None:
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute(statement)


def _kill_engine_and_agents(home: Home, id: str) -> None:
    home.kill_engine()
    signal_all(processes.family([f"PERLES_WORKFLOW={id}"]), signal.SIGKILL)


def _running(home: Home) -> str:
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": "echo begun; sleep 61"}])
    id = home.perles("create", file).stdout.strip()
    home.perles("start", id)
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)
    return id


@pytest.mark.parametrize("verb", ["check", "reconcile"])
def test_all_well_is_silent(ended: Home, verb: str) -> None:
    result = ended.perles("maintenance", verb)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("verb", ["check", "reconcile"])
def test_a_home_that_is_not_there_yet_is_well_and_stays_away(fresh_home: Home, verb: str) -> None:
    result = fresh_home.perles("maintenance", verb)

    assert (result.returncode, result.stdout) == (0, "")
    assert not fresh_home.root.exists()


def test_beside_a_running_engine_what_runs_is_well(home: Home) -> None:
    _running(home)

    result = home.perles("maintenance", "check")

    assert (result.returncode, result.stdout) == (0, "")


def test_an_open_turn_without_process_is_told_and_then_repaired(home: Home) -> None:
    id = _running(home)
    _kill_engine_and_agents(home, id)

    found = home.perles("maintenance", "check")
    repaired = home.perles("maintenance", "reconcile")

    assert found.returncode == 1
    assert f"open turn without process: worker-1 of {id}, turn 1" in found.stdout
    assert (repaired.returncode, repaired.stdout) == (0, "")
    assert home.events("--type", "turn.lost", id) or home.events("--type", "turn.failed", id)


def test_an_orphan_is_told_and_then_ended(ended: Home) -> None:
    id = ended.only()
    stray = subprocess.Popen(["sleep", "61"], env={"PERLES_WORKFLOW": id, "PERLES_TURN": f"{id}/1"})

    found = ended.perles("maintenance", "check")
    repaired = ended.perles("maintenance", "reconcile")

    assert (found.returncode, repaired.returncode) == (1, 0)
    assert f"orphan: process {stray.pid} (sleep) of {id}, which is completed" in found.stdout
    assert stray.wait(timeout=DEADLINE) == -signal.SIGTERM


def test_processes_of_another_home_are_no_orphans(ended: Home) -> None:
    stray = subprocess.Popen(["sleep", "61"], env={"PERLES_TURN": "wf-elsewher/1"})
    try:
        assert ended.perles("maintenance", "check").returncode == 0
    finally:
        stray.kill()
        stray.wait()


def test_files_without_turn_or_workflow_are_told_and_kept(ended: Home) -> None:
    session = Path(ended.json("show", "p", "--json")["session_dir"])
    (session / "worker-1" / "turn-77.out").write_text("who am I")
    unknown = session.with_name("wf-unknown2")
    shutil.copytree(session, unknown)

    found = ended.perles("maintenance", "reconcile")

    assert found.returncode == 1
    assert found.stdout.splitlines() == [f"files without turn: {session}/worker-1/turn-77.out"]
    assert unknown.is_dir()


def test_folders_of_another_databases_workflows_are_no_problem(ended: Home) -> None:
    session = Path(ended.json("show", "p", "--json")["session_dir"])
    unknown = session.with_name("wf-unknown2")
    shutil.copytree(session, unknown)

    found, doctor = ended.perles("maintenance", "check"), ended.json("doctor", "--json")

    told = f"1 session folder is of workflows that {shown(ended.database)} does not have"
    assert (found.returncode, found.stdout.count(told)) == (0, 1)
    assert str(unknown) in found.stdout
    (finding,) = [one for one in doctor if told in str(one)]
    assert finding["level"] == "note"
    assert ended.perles("maintenance", "reconcile").stdout == ""
    assert unknown.is_dir()


def test_a_lease_without_holder_is_told(ended: Home) -> None:
    id = ended.only()
    _write(
        ended,
        "INSERT INTO leases (kind, value, workflow_id, acquired_at, created_at, updated_at) "
        f"VALUES ('port', 9001, '{id}', '', '', '')",
    )

    found = ended.perles("maintenance", "check")

    assert found.returncode == 1
    assert f"lease without holder: port 9001 of {id}, which is completed" in found.stdout


def test_two_at_a_time_are_refused(ended: Home) -> None:
    with alone(ControlPlane(ended.root).database_path):
        result = ended.perles("maintenance", "check")

    assert result.returncode == 4
    assert "another perles maintenance" in result.stderr


def test_vacuum_gives_the_space_back_beside_an_engine(home: Home) -> None:
    """What was pruned leaves the file although the engine holds it open."""
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()
    home.perles("stop", id)
    engine = home.popen("serve", "--foreground")
    home.wait_for_engine()
    _write(
        home,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
        "INSERT INTO events (workflow_id, type, payload, created_at) "
        f"SELECT '{id}', 'worker.output', '{{\"text\": \"' || hex(randomblob(500)) || '\"}}', "
        "'2026-01-01T00:00:00.000Z' FROM n",
    )
    assert home.perles("maintenance", "prune", "--older-than", "0s").returncode == 0

    assert home.perles("maintenance", "vacuum").returncode == 0

    assert home.database.stat().st_size < 2_000_000
    wal = home.database.with_name("perles.db-wal")
    assert not wal.exists() or wal.stat().st_size < 2_000_000
    assert engine.poll() is None
    home.perles("engine", "stop")
    engine.communicate(timeout=DEADLINE)
