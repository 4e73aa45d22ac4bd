"""Fixtures of the integration tests."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from perles import ControlPlane
from perles.executor.local.processes import family
from perles.store import migrate
from perles.store.place import engine_lock
from tests.integration.cli import COVERAGE, Home, signal_all
from tests.integration.crew import Crew
from tests.integration.forks import forked_engines
from tests.integration.health_world import FIRST_PORT, HealthWorld
from tests.integration.repositories import repository
from tests.integration.scheduler_world import without_processes


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of today's schema, made once: making one takes half a second."""
    path = tmp_path_factory.mktemp("migrated") / "perles.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PERLES_DATABASE", raising=False)
        migrate.ensure(path)
    return path


@pytest.fixture
def fresh_home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    """A home of the test's own that is not there yet; afterwards no process of it is left."""
    made = Home(tmp_path)
    if Home.coverage is not None and request.node.get_closest_marker("measured"):
        made.environ[COVERAGE] = Home.coverage
    made.afresh = request.node.get_closest_marker("afresh") is not None
    with nullcontext() if made.forks is None or made.afresh else forked_engines(made.forks):
        yield made
    lock = engine_lock(made.database)
    if lock.is_held():
        made.perles("engine", "stop")
        if lock.is_held():  # a fork's environment does not tell whose it is
            made.kill_engine()
    made.close()
    signal_all(family([f"PERLES_HOME={made.root}"]), signal.SIGKILL)


@pytest.fixture
def home(fresh_home: Home, migrated: Path) -> Home:
    """A home of the test's own with an empty database."""
    fresh_home.root.mkdir(mode=0o700)
    shutil.copy(migrated, fresh_home.database)
    return fresh_home


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthWorld]:
    """A world with a health monitor in it, in which no process is ever started."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = HealthWorld(tmp_path, FIRST_PORT)
    yield made
    made.close()


@pytest.fixture
def crew(home: Home) -> Iterator[Crew]:
    """Rows in the home's database: at first one workflow, which runs for nine minutes."""
    made = Crew(home.database)
    made.workflow(started_at=made.at(minutes=9))
    yield made
    made.close()


@pytest.fixture
def repo(home: Home) -> Path:
    """The work dir as a repository with one commit."""
    return repository(home.work)


@pytest.fixture
def plane(home: Home, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """The façade of the home, in this process, from its work dir."""
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.work)
    return ControlPlane(home.root)
