"""Fixtures of the tests with real CLIs. Where npm does not answer they are skipped, and say so."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perles.executor.local.processes import family
from perles.store import migrate
from perles.store.sqlite.engine_lock import EngineLock
from tests.e2e import clis, scripts
from tests.e2e.model import Model, Script
from tests.integration.cli import Home, signal_all

SECONDS = 180.0
"""How long a test waits for what must come: these CLIs take seconds to start."""


class Agents(Home):
    """A home with a repository, and every CLI set up for one scripted model."""

    def __init__(self, root: Path, model: Model, version: str = "pinned") -> None:
        super().__init__(root)
        self.model = model
        self.version = version
        self.programs: dict[str, Path] = {}
        self.environ["SCRIPTED_KEY"] = clis.KEY
        self.environ["PERLES_CONFIG"] = str(root / "config.yaml")
        self._root = root
        self.cli_home = root / "cli-home"
        self._engines: list[subprocess.Popen[str]] = []
        subprocess.run(["git", "init", "-q"], cwd=self.work, check=True)

    def use(self, *names: str) -> None:
        """Make these CLIs ready; the test is skipped where npm cannot give one."""
        for name in names:
            if hindrance := clis.hindrance(name, self._root):
                pytest.skip(f"NOT TESTED against the real {name}: {hindrance}")
        try:
            if self._is_tested_already(names):
                pytest.skip(f"the newest {', '.join(names)} is the pinned one")
            self.programs |= {name: clis.install(name, self.version) for name in names}
        except OSError as error:
            pytest.skip(f"NOT TESTED against the real {', '.join(names)}: {error}")
        self._configure()

    def _is_tested_already(self, names: tuple[str, ...]) -> bool:
        packages = [clis.package_of(name, self.version) for name in names]
        return self.version != "pinned" and packages == [clis.PACKAGES[name] for name in names]

    def replace_program(self, name: str, program: Path) -> None:
        """Let this program be started instead of the CLI."""
        self.programs[name] = program
        self._configure()

    def _configure(self) -> None:
        clis.write_config(self._root / "config.yaml", self.model.url, self.cli_home, self.programs)

    def begin(self, coordinator: str, worker: str, *more: str) -> str:
        """Create a workflow with a goal and start it; its id."""
        created = self.json(
            "create",
            "bring the goal about",
            "--coordinator",
            coordinator,
            "--worker",
            worker,
            *more,
            "--json",
        )
        id = str(created["id"])
        self.engine = self.serve()
        assert self.perles("start", id).returncode == 0
        return id

    def serve(self) -> "subprocess.Popen[str]":
        """An engine in the background."""
        self._engines.append(self.popen("serve"))
        return self._engines[-1]

    def close(self) -> None:
        """End everything that was started here."""
        if EngineLock(self.database).is_held():
            self.perles("engine", "stop")
        signal_all(family([f"PERLES_HOME={self.root}"]), signal.SIGKILL)
        for engine in self._engines:
            engine.communicate()

    def ended(self, id: str) -> str:
        """The state that the workflow ends in."""
        return str(
            self.wait_for(
                "the end of the workflow",
                lambda: (
                    state
                    if (state := self.json("show", id, "--json")["state"])
                    in ("completed", "failed", "stopped")
                    else None
                ),
            )
        )

    def types(self) -> list[str]:
        """The types of all events."""
        return [event["type"] for event in self.events()]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of today's schema, made once."""
    path = tmp_path_factory.mktemp("migrated") / "perles.db"
    migrate.ensure(path)
    return path


@pytest.fixture(params=clis.VERSIONS)
def scripted(
    request: pytest.FixtureRequest, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Script], Agents]]:
    """Makes `Agents` whose model follows a script; afterwards no process of them is left."""
    monkeypatch.setattr("tests.integration.cli.DEADLINE", SECONDS)
    # Not below /tmp: gemini reads no settings below a folder that others may write to.
    runs = clis.cache_folder() / "runs"
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=runs))
    root = folder / 'wörk \'n "dir"'
    root.mkdir(mode=0o700)
    models: list[Model] = []
    homes: list[Agents] = []

    def make(script: Script = scripts.everybody) -> Agents:
        model = Model(script)
        models.append(model.__enter__())
        home = Agents(root, model, request.param)
        home.root.mkdir(mode=0o700)
        shutil.copy(migrated, home.database)
        homes.append(home)
        return home

    yield make
    for home in homes:
        home.close()
    for model in models:
        model.__exit__()
    shutil.rmtree(folder, ignore_errors=True)
