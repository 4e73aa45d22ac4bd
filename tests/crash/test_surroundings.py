"""The clock, the disk, the database and the files misbehave: nothing is lost."""

import resource
import shutil
import time
from pathlib import Path

import pytest

from perles.executor.contract import TurnFiles
from perles.store.sqlite.driver import dbapi
from tests.crash.world import World, agent_of, kill, tasks

pytestmark = pytest.mark.afresh

SLOWLY = "echo begins; until test -e go; do sleep 0.05; done; echo ends; echo t0 >> effects"


def _output(storm: World, agent: str = "worker-1") -> Path:
    sql = (
        "SELECT stdout_path FROM turns t JOIN agents a ON a.id = t.agent_id"
        " WHERE a.name = ? ORDER BY t.id DESC"
    )
    return storm.home.root / str(storm.value(sql, agent))


def _begun(storm: World) -> str:
    id = storm.create([{"key": "t0", "run": SLOWLY}])
    storm.serve()
    storm.wait_for_text(id, "begins")
    return id


def test_a_clock_that_is_set_back_an_hour_holds_up_nothing(storm: World) -> None:
    id = storm.create_with_prompt(tasks(2, seconds=0.5))
    storm.serve()
    coordinator = agent_of(storm.turn_of("coordinator"))
    assert coordinator is not None
    kill(coordinator)
    storm.wait_for_text(id, "begins 3")
    storm.kill_engine()
    later = "strftime('%Y-%m-%dT%H:%M:%fZ', {0}, '+1 hour')"
    for table, column in (("agents", "updated_at"), ("turns", "started_at")):
        storm.change(f"UPDATE {table} SET {column} = {later.format(column)}")
    storm.change(
        "UPDATE agents SET status = 'failed' WHERE role = 'coordinator' AND status = 'ready'"
    )

    storm.serve()

    storm.finish(id)


def test_a_database_that_is_locked_for_a_while_holds_up_but_loses_nothing(storm: World) -> None:
    id = storm.create(tasks(4))
    storm.serve()
    storm.wait_for_text(id, "begins 1")
    holder = dbapi.connect(str(storm.home.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    time.sleep(8)  # what is tried here is just that
    holder.execute("ROLLBACK")
    holder.close()

    storm.finish(id)


def test_a_status_that_cannot_be_written_is_told_by_the_launcher_itself(storm: World) -> None:
    id = _begun(storm)
    TurnFiles.at(_output(storm)).status.mkdir()  # as a full disk would have it

    (storm.home.work / "go").touch()

    storm.finish(id)
    assert storm.value("SELECT count(*) FROM turns WHERE status != 'succeeded'") == 0


def test_a_status_that_cannot_be_written_while_no_engine_runs_doubles_nothing(
    storm: World,
) -> None:
    id = _begun(storm)
    TurnFiles.at(_output(storm)).status.mkdir()
    launcher = storm.turn_of("worker-1")
    (storm.home.work / "go").touch()
    storm.wait_for("the report", lambda: storm.value("SELECT exit_code FROM tasks") == 0)
    storm.kill_engine()
    kill(launcher.pid)

    storm.serve()

    storm.finish(id)


def test_a_session_folder_that_is_deleted_under_a_live_turn_loses_nothing(storm: World) -> None:
    id = _begun(storm)
    session = storm.home.root / str(storm.value("SELECT session_dir FROM workflows"))

    shutil.rmtree(session)
    (storm.home.work / "go").touch()

    storm.wait_for_end(id)
    assert (storm.home.work / "effects").read_text() == "t0\n"


def test_output_goes_on_after_its_file_was_deleted(storm: World) -> None:
    id = _begun(storm)
    _output(storm).unlink()
    (storm.home.work / "go").touch()

    storm.wait_for_text(id, "ends")
    storm.wait_for_end(id)


def test_output_goes_on_after_its_file_was_replaced(storm: World) -> None:
    id = _begun(storm)
    output = _output(storm)
    output.rename(output.with_suffix(".moved"))
    output.write_text("a stranger's line\n" * 9)
    (storm.home.work / "go").touch()

    storm.wait_for_text(id, "ends")
    storm.wait_for_end(id)
    told = "SELECT count(*) FROM events WHERE payload LIKE '%a stranger%'"
    assert storm.value(told) == 0


def test_an_agent_may_open_as_many_files_as_the_engine_was_allowed(storm: World) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    id = storm.create([{"key": "t0", "run": "echo limit=$(ulimit -n); echo t0 >> effects"}])
    storm.serve()
    storm.wait_for_text(id, f"limit={soft}")
    storm.finish(id)


def test_output_goes_on_after_its_file_was_cut(storm: World) -> None:
    id = _begun(storm)
    _output(storm).write_text("")
    (storm.home.work / "go").touch()

    storm.wait_for_text(id, "ends")
    storm.wait_for_text(id, "was cut from outside")
    storm.wait_for_end(id)
