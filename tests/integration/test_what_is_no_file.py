"""A pipe or a device in the place of a file of a repository's: told in a line, and nobody waits."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli import Home


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = {"pipe": _pipe, "device": _device}


@pytest.fixture(params=KINDS)
def put(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Puts what is no file in the place of one."""

    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        KINDS[request.param](path)

    return make


def test_a_repositorys_configuration(home: Home, put: Callable[[Path], None]) -> None:
    put(home.work / ".perles" / "config.yaml")

    assert home.perles("config", "show").returncode in (0, 2)
    assert home.perles("trust", ".", "--yes").returncode == 2
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    assert home.perles("run", file).returncode == 0


def test_ones_own_configuration(home: Home, put: Callable[[Path], None]) -> None:
    put(home.work / "own.yaml")

    result = home.perles("config", "show", PERLES_CONFIG=str(home.work / "own.yaml"))

    assert result.returncode == 2
    assert "it is no regular file" in result.stderr


def test_what_is_trusted(home: Home, put: Callable[[Path], None]) -> None:
    folder = home.work / ".perles"
    folder.mkdir()
    (folder / "config.yaml").write_text("orchestration: {claude: {executable: ./evil}}\n")
    put(home.root / "trusted.json")

    result = home.perles("config", "show")

    assert result.returncode == 2
    assert "trusted.json" in result.stderr


def test_a_template_and_what_it_names(home: Home, put: Callable[[Path], None]) -> None:
    folder = home.work / ".perles" / "workflows"
    put(folder / "broken" / "template.yaml")

    listed = home.perles("templates", "list")

    assert listed.returncode == 0, listed.stderr
    assert "pipeline" in listed.stdout
    assert home.perles("templates", "check", folder / "broken").returncode == 2


def test_a_pipe_that_a_person_names_is_read(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    script = f'cat "{file}" | {" ".join(home.argv("run", "/dev/stdin"))}'

    result = home.run(["bash", "-c", script])

    assert result.returncode == 0, result.stderr
