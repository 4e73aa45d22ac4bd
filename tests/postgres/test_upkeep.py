"""What keeps a home small, and what another machine is told, with the database on a server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles import ControlPlane
from perles.config.home import Paths
from perles.config.model import Config
from perles.doctor.finding import OK
from perles.doctor.machine import database as doctor
from perles.doctor.machine.surroundings import Surroundings
from perles.domain.errors import DatabaseError
from perles.maintenance.prune import prune
from perles.maintenance.stats import stats
from perles.store import migrate
from perles.store.reads.connection import reading
from perles.store.reads.registry import Registry
from perles.store.schema.engine import Engine
from tests.integration.cli import DEADLINE, Home
from tests.integration.crew import Crew


@pytest.fixture
def crew(path: Path) -> Iterator[Crew]:
    """Rows of a workflow that ended ten days ago, with a turn whose files are elsewhere."""
    migrate.ensure(path)
    made = Crew(path)
    made.workflow("wf-old", "completed", name="old", ended_at=made.at(days=10))
    agent = made.agent("wf-old", "worker-1", "stopped")
    files = {"stdout_path": "sessions/w/turn-1.out", "stderr_path": "sessions/w/turn-1.err"}
    made.turn("wf-old", agent, "succeeded", **files)
    made.message(agent)
    made.event("turn.succeeded", {}, at=made.now, workflow_id="wf-old", agent_id=agent)
    yield made
    made.close()


def test_a_workflow_that_ended_long_ago_is_pruned(crew: Crew) -> None:
    crew.workflow("wf-new", "completed", ended_at=crew.at(hours=1))

    done = prune(Paths(crew.path.parent), older_than=86400)

    assert done["pruned"] == ["wf-old"]
    with reading(crew.path) as connection:
        assert connection is not None
        for table in ("events", "turns", "messages", "agents"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert Registry(crew.path).state_of("wf-new") == "completed"


def test_the_size_is_that_on_the_server(crew: Crew) -> None:
    found = stats(Paths(crew.path.parent))

    assert found["database_bytes"] > 100_000
    assert found["rows"]["workflows"] == 1


def test_the_doctor_names_the_server(crew: Crew) -> None:
    paths = Paths(crew.path.parent)

    found = {one.check: one for one in doctor.check(Surroundings(paths, os.environ, Config()))}

    database = found["database"]
    assert (database.level, "postgresql://" in database.text) == (OK, True)


@pytest.mark.parametrize(("act", "advice"), [("backup", "pg_dump"), ("vacuum", "vacuumdb")])
def test_what_the_server_does_itself_is_refused(crew: Crew, act: str, advice: str) -> None:
    with pytest.raises(DatabaseError, match=advice):
        getattr(ControlPlane(crew.path.parent), act)()


def test_logs_say_on_which_machine_the_output_lies(crew: Crew) -> None:
    now = crew.at()
    about = {"pid": 1, "boot_id": "b", "version": "v", "started_at": now, "heartbeat_at": now}
    crew.insert(Engine, id=1, host="box7", **about)

    done = subprocess.run(
        [sys.executable, "-m", "perles", "logs", "old"],
        env={**os.environ, "PERLES_HOME": str(crew.path.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "worker-1, turn 1" in done.stderr
    assert "sessions/w in the home of the engine that ran it, on box7" in done.stderr


def test_show_says_on_which_machine_the_session_is(crew: Crew) -> None:
    now = crew.at()
    about = {"pid": 1, "boot_id": "b", "version": "v", "started_at": now, "heartbeat_at": now}
    crew.insert(Engine, id=1, host="box7", **about)
    crew.workflow("wf-far", "completed", session_dir="sessions/f/wf-far", ended_at=now)

    shown = _perles(crew, "show", "wf-far").stdout

    assert "session   sessions/f/wf-far in the home of the engine that ran it, on box7" in shown


def test_the_address_of_the_database_is_shown_without_its_password(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ["PERLES_DATABASE"]
    monkeypatch.setenv("PERLES_DATABASE", url.replace("perles@", "perles:word@"))

    told = _perles(crew, "db", "path").stdout.strip()
    refused = _perles(crew, "db", "shell", check=False)

    assert told.startswith("postgresql://")
    assert "word" not in told
    assert (refused.returncode, "psql" in refused.stderr) == (2, True)
    assert "word" not in refused.stderr


def test_a_task_that_calls_perles_reaches_the_database_of_its_engine(
    path: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.root.mkdir(mode=0o700)
    run = f"{sys.executable} -m perles list --json; echo end"

    done = home.perles("run", home.pipeline("p", [{"key": "a", "run": run}]))

    assert done.returncode == 0, done.stderr
    assert home.only() in home.perles("logs", "p", "--raw").stdout


def _perles(crew: Crew, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "perles", *words],
        env={**os.environ, "PERLES_HOME": str(crew.path.parent)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=check,
    )
