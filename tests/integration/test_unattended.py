"""Work that no engine is at, or one that cannot go on: every door says so, and nobody waits."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.cli.runner import Runner
from perles.controlplane.plane import ControlPlane
from perles.domain.explanations import advice
from perles.store.place import engine_lock
from perles.store.reads import engine
from perles.store.schema.engine import Engine
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-aaaaaaaa"


@pytest.fixture
def silent(crew: Crew) -> Iterator[Crew]:
    """A database with an engine, this process, that gave its last sign five minutes ago."""
    values = {"host": "h", "boot_id": "b", "version": "1", "started_at": crew.at(hours=1)}
    beat = crew.at(minutes=5)
    crew.insert(Engine, id=1, pid=os.getpid(), heartbeat_at=beat, **values)
    with engine_lock(crew.path):
        yield crew


def test_what_no_engine_runs_is_told_by_list_show_and_json(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    id = home.perles("create", file).stdout.strip()
    assert home.perles("list").stderr == ""

    home.perles("start", id)

    listed, shown = home.perles("list"), home.perles("show", id)
    for done in (listed, shown, home.perles("list", "--json")):
        assert "no engine runs, and 1 workflow waits for it; start one: perles serve" in done.stderr
    assert "no engine runs" in listed.stdout.splitlines()[1]
    assert "engine    no engine runs" in shown.stdout
    assert home.json("list", "--json")[0]["unattended"] == "no engine runs"
    assert home.json("show", id, "--json")["unattended"] == "no engine runs"

    # `run` follows what was asked for before, whoever takes that.
    done = home.perles("run", id)
    assert (done.returncode, done.stderr) == (0, "")
    assert home.json("show", id, "--json")["unattended"] is None


def test_a_silent_engine_is_told_by_every_door(silent: Crew, home: Home) -> None:
    told = "the engine gives no sign for 5m"

    assert told in home.perles("list").stdout
    assert told in home.perles("show", ID).stdout
    assert told in home.perles("engine", "status").stdout
    assert told in home.json("engine", "status", "--json")["trouble"]
    assert told in home.perles("dashboard", "--once", "--width", "80").stdout


def test_one_that_comes_up_is_not_called_silent(silent: Crew, home: Home) -> None:
    silent.change_engine(pid=os.getpid() + 1)

    with silent.reading() as connection:
        assert engine.trouble(connection) is None


def test_one_that_comes_up_is_not_taken_for_the_one_before(silent: Crew, home: Home) -> None:
    here = {"host": os.uname().nodename}
    killed = subprocess.Popen(["true"])
    killed.wait()

    silent.change_engine(**here)
    assert home.engine_pid() == os.getpid()
    silent.change_engine(**here, pid=killed.pid)
    assert home.engine_pid() is None
    silent.change_engine(**here, pid=os.getpid(), ended_at=silent.at(minutes=1))
    assert home.engine_pid() is None


def test_a_full_disk_is_the_reason_and_told_early(
    silent: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent.change_engine(heartbeat_at=silent.at(seconds=30))
    with silent.reading() as connection:
        assert engine.trouble(connection, silent.now) is None
        monkeypatch.setattr(engine, "is_full", lambda folder: True)
        found = engine.trouble(connection, silent.now)

    assert found == f"the engine gives no sign for 30s: the disk of {silent.path.parent} is full"
    assert advice(found) == "make room there"


def test_run_says_once_that_the_engine_cannot_go_on_and_ctrl_c_waits_for_nobody(
    silent: Crew, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("perles.cli.runner.TROUBLE_SECONDS", 0.0)
    runner = Runner(ControlPlane(home.root), ID, as_json=False)
    monkeypatch.setattr(runner, "_own", True)

    assert not runner._finished()
    runner._look_at = 0.0
    assert not runner._finished()
    assert capsys.readouterr().err.count("the engine gives no sign for 5m; look:") == 1

    monkeypatch.setattr(runner, "_signal", signal.SIGINT)
    assert runner._leave() == 130
    assert f"pause of {ID} waits for the engine" in capsys.readouterr().err


def test_the_disk_of_a_folder_with_room_is_not_full(tmp_path: Path) -> None:
    assert not engine.is_full(tmp_path)
    assert not engine.is_full(tmp_path / "nowhere")
