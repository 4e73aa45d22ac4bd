"""An engine whose lock or database is deleted, moved or replaced under it, and who it tells."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from perles.executor.local.identity import identify, is_alive
from perles.store.sqlite.driver import dbapi
from perles.store.sqlite.engine_lock import EngineLock
from tests.integration.cli import DEADLINE, Home


@pytest.fixture
def served(home: Home) -> Iterator[tuple[Home, "subprocess.Popen[str]"]]:
    """A home with an engine, in which a command runs."""
    engine = home.popen("serve", "--foreground")
    home.wait_for_engine()
    file = home.pipeline("p", [{"key": "a", "run": "echo begun; sleep 61"}])
    id = home.perles("create", file).stdout.strip()
    home.perles("start", id)
    home.wait_for("the command", lambda: "begun" in home.perles("logs", id).stdout)
    yield home, engine
    engine.kill()
    engine.communicate()


def test_a_deleted_lock_is_made_again(served: tuple[Home, "subprocess.Popen[str]"]) -> None:
    home, engine = served
    lock = EngineLock(home.database)
    lock.path.unlink()

    home.wait_for("the lock", lambda: lock.is_held() and lock.holder() == engine.pid)

    assert engine.poll() is None
    assert home.perles("engine", "stop").returncode == 0
    assert "lock file was deleted" in engine.communicate(timeout=DEADLINE)[1]


def test_a_second_engine_sees_the_first_by_its_row(
    served: tuple[Home, "subprocess.Popen[str]"],
) -> None:
    home, engine = served
    EngineLock(home.database).path.unlink()

    second = home.perles("serve", "--foreground")

    assert (second.returncode, f"(pid {engine.pid})" in second.stderr) == (4, True)
    assert home.json("list", "--json")[0]["state"] == "running"


@pytest.mark.parametrize("what", ["deleted", "moved", "replaced", "its log deleted"])
def test_an_engine_without_its_database_pauses_says_so_and_ends(
    served: tuple[Home, "subprocess.Popen[str]"], what: str
) -> None:
    home, engine = served
    with closing(dbapi.connect(home.database)) as connection, connection:
        (pid,) = connection.execute("SELECT pid FROM turns WHERE status = 'running'").fetchone()
    connection.close()
    agent = identify(pid)
    path = home.database
    if what == "deleted":
        path.unlink()
    elif what == "moved":
        path.rename(path.with_name("elsewhere.db"))
    elif what == "replaced":
        shutil.copy(path, path.with_name("copy.db"))
        path.with_name("copy.db").replace(path)
    else:
        path.with_name("perles.db-wal").unlink()

    _, said = engine.communicate(timeout=DEADLINE)

    assert (engine.returncode, "cannot go on" in said) == (7, True), said
    assert agent is not None
    assert not is_alive(agent)


def test_with_its_log_deleted_what_was_committed_is_saved(
    served: tuple[Home, "subprocess.Popen[str]"],
) -> None:
    home, engine = served
    id = home.only()
    home.database.with_name("perles.db-wal").unlink()

    engine.communicate(timeout=DEADLINE)

    assert home.json("show", id, "--json")["state"] == "paused"
    assert home.perles("maintenance", "check").returncode == 0


@pytest.mark.parametrize("said", ["-1", "1", "99999999999999999999", "x"])
def test_stop_ends_the_engine_and_nobody_else_whatever_its_lock_file_says(
    home: Home, said: str
) -> None:
    home.perles("serve", "--detach")
    pid = home.wait_for_engine()
    EngineLock(home.database).path.write_text(said)

    stopped = home.perles("engine", "stop")

    assert (stopped.returncode, stopped.stdout) == (0, f"stopped the engine (pid {pid})\n")
    home.wait_for("its end", lambda: identify(pid) is None)


def test_stop_sends_no_signal_to_a_stranger_who_holds_the_lock(home: Home) -> None:
    stranger = subprocess.Popen(
        ["flock", "-x", EngineLock(home.database).path, "sleep", "60"], start_new_session=True
    )
    home.wait_for("the lock", EngineLock(home.database).is_held)
    EngineLock(home.database).path.write_text(str(stranger.pid))

    stopped = home.perles("engine", "stop")

    assert (stopped.returncode, stranger.poll()) == (1, None)
    assert "is not the engine of this database" in stopped.stderr
    os.killpg(stranger.pid, signal.SIGKILL)
    stranger.wait()
